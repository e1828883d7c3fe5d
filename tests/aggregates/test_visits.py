"""The rules of a visit."""

from typing import Any

from hypothesis import given as forall
from hypothesis import strategies as some

from aggregates.kernel import ProductNotOnSale, UnknownProduct
from aggregates.pricing.context import Traits
from aggregates.pricing.offer import Offer
from aggregates.visits import visit
from aggregates.visits.events import ProductViewed
from aggregates.visits.visit import Visit, VisitFull, view_product
from tests.aggregates.given import given, state_after

VISIT = "v" * 32
TRAITS = Traits(category="Kitchen", seller="shop")


def offer(sku: str, *, on_sale: bool = True) -> Offer:
    return Offer(sku=sku, title=sku, seller="shop", traits=TRAITS, prices=(), on_sale=on_sale)


def viewed(sku: str, number: int) -> ProductViewed:
    return ProductViewed(visit_id=VISIT, sku=sku, number=number)


def view(sku: str, **given_too: Any) -> dict[str, Any]:
    rest = {"offer": offer(sku), "customer_id": None, "views_max": 1_000}
    return {"visit_id": VISIT, "sku": sku} | rest | given_too


def test_a_visit_begins_with_its_first_view() -> None:
    expected = ProductViewed(visit_id=VISIT, sku="MUG", number=1, customer_id="anna")
    given().when(view_product, **view("MUG", customer_id="anna")).then_once(expected)


def test_a_view_of_the_product_looked_at_last_is_nothing_to_do() -> None:
    given(viewed("MUG", 1)).when(view_product, **view("MUG")).then_nothing()
    given(viewed("MUG", 1)).when(view_product, **view("MUG", customer_id="anna")).then_nothing()


def test_a_product_looked_at_again_after_another_is_viewed_again() -> None:
    given(viewed("MUG", 1), viewed("PAN", 2)).when(view_product, **view("MUG")).then_once(viewed("MUG", 3))


def test_a_product_that_was_never_listed_is_unknown() -> None:
    given().when(view_product, **view("MUG", offer=None)).then_rejected(UnknownProduct("MUG"))


def test_a_product_that_is_off_sale_is_not_viewed() -> None:
    delisted = view("MUG", offer=offer("MUG", on_sale=False))
    given().when(view_product, **delisted).then_rejected(ProductNotOnSale("MUG"))
    given(viewed("MUG", 1)).when(view_product, **delisted).then_rejected(ProductNotOnSale("MUG"))


def test_a_visit_has_at_most_so_many_views() -> None:
    full = given(viewed("MUG", 1), viewed("PAN", 2))
    full.when(view_product, **view("TEA", views_max=2)).then_rejected(VisitFull(visit_id=VISIT, views_max=2))
    full.when(view_product, **view("PAN", views_max=2)).then_nothing()
    full.when(view_product, **view("TEA", views_max=3)).then_once(viewed("TEA", 3))


@forall(some.lists(some.sampled_from("ABC"), max_size=30))
def test_views_are_numbered_without_gaps_and_none_repeats_the_one_before(skus: list[str]) -> None:
    state = Visit()
    events: list[ProductViewed] = []
    for sku in skus:
        for event in view_product(state, **view(sku)):
            events.append(event)
            state = visit.evolve(state, event)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.sku for event in events] == [
        sku for before, sku in zip([None, *skus], skus, strict=False) if sku != before
    ]
    assert state_after(visit, *events) == Visit(views=len(events), last_sku=skus[-1] if skus else None)
