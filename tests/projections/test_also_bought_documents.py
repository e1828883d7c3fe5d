"""Orders in; what was bought together out."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from projections.documents.shapes import AlsoBoughtDocument
from projections.engine.follower import Decoded
from projections.views import also_bought
from projections.views.also_bought import PARTNERS_LEFT, PARTNERS_MAX, SKUS_MAX
from tests.projections.memory_views import MemoryView
from tests.shop.facts import given_up, placed_together, recorded


def view_of(*happened: Any) -> MemoryView:
    built = MemoryView(also_bought.VIEW)
    built.apply([Decoded(recorded(n, event), event) for n, event in enumerate(happened, start=1)])
    return built


def orders_of(*happened: Any) -> dict[str, dict[str, int]]:
    return {key: msgspec.json.decode(value)["orders"] for key, value in view_of(*happened).documents.items()}


def best(*happened: Any, sku: str) -> list[str]:
    return msgspec.json.decode(view_of(*happened).documents[sku], type=AlsoBoughtDocument).best_first()


def test_an_order_counts_once_for_each_pair_of_its_products() -> None:
    orders = [
        placed_together("o1", "A", "B", "A"),
        placed_together("o2", "A", "B", "C"),
        placed_together("o3", "D"),
    ]
    assert orders_of(*orders) == {"A": {"B": 2, "C": 1}, "B": {"A": 2, "C": 1}, "C": {"A": 1, "B": 1}}


def test_a_canceled_order_leaves_nothing() -> None:
    orders = [placed_together("o1", "A", "B"), placed_together("o2", "A", "B", "C")]
    assert orders_of(*orders, given_up(orders[1])) == {"A": {"B": 1}, "B": {"A": 1}, "C": {}}


def test_most_orders_come_first_and_of_equals_the_one_ordered_last() -> None:
    orders = [
        placed_together(f"o{n}", "A", *partners)
        for n, partners in enumerate(("BC", "D", "E", "B", "D"), start=1)
    ]
    assert best(*orders, sku="A") == ["D", "B", "E", "C"]
    assert best(*orders, given_up(orders[0]), sku="A") == ["D", "B", "E"]


def test_of_an_order_of_many_lines_the_first_products_count() -> None:
    skus = [f"S{n:03}" for n in range(200)]
    large = placed_together("o1", *skus)
    found = orders_of(large)
    assert list(found) == skus[:SKUS_MAX]
    assert found[skus[0]] == dict.fromkeys(skus[1:SKUS_MAX], 1)
    assert orders_of(large, given_up(large)) == {sku: {} for sku in skus[:SKUS_MAX]}


def test_a_product_with_many_partners_keeps_those_that_most_orders_had() -> None:
    often = [placed_together(f"often{n}{sku}", "A", sku) for n in range(3) for sku in ("X", "Y")]
    rarely = [placed_together(f"o{n}", "A", f"S{n:03}") for n in range(PARTNERS_MAX)]
    found = orders_of(*often, *rarely)["A"]
    assert len(found) <= PARTNERS_MAX
    assert (found["X"], found["Y"]) == (3, 3)
    before, one_more = orders_of(*often, *rarely[:-2])["A"], orders_of(*often, *rarely[:-1])["A"]
    assert len(before) == PARTNERS_MAX
    assert len(one_more) == PARTNERS_LEFT
    assert list(one_more)[:2] == ["X", "Y"]
    assert list(one_more)[2:] == [f"S{n:03}" for n in range(PARTNERS_MAX - 1)][-(PARTNERS_LEFT - 2) :], (
        "the last"
    )


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=6), st.booleans()), max_size=25
    )
)
def test_where_nothing_went_counts_are_those_of_the_orders_that_stand(
    made: list[tuple[list[str], bool]],
) -> None:
    happened: list[Any] = []
    expected: Counter[tuple[str, str]] = Counter()
    for n, (skus, stands) in enumerate(made):
        one = placed_together(f"o{n}", *skus)
        happened += [one] if stands else [one, given_up(one)]
        if stands:
            expected.update(permutations(set(skus), 2))
    found = orders_of(*happened)
    assert {
        (sku, other): count for sku, orders in found.items() for other, count in orders.items()
    } == expected
