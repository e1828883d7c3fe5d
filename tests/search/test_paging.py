"""Pages visit every product once, in order, whatever ties there are and whatever happens meanwhile."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.documents.search import (
    After,
    Offset,
    Place,
    PlaceExpiredError,
    ProductQuery,
    Sort,
    sku_numbers,
)
from tests.shop.facts import listed, priced, received
from tests.shop.views import SearchShop, skus

SKU = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
ALIKE = "A-SKU-THAT-BEGINS-LIKE-MANY-OTHERS-"


def walk(shop: SearchShop, sort: Sort, limit: int, **filters: object) -> list[str]:
    """Every page one after another."""
    found: list[str] = []
    place: Place | None = None
    while True:
        page = shop.reader.search(ProductQuery(sort=sort, **filters), limit=limit, place=place)  # type: ignore[arg-type]
        assert len(page.items) <= limit
        found += skus(page.items)
        place = page.next
        if place is None:
            return found


@pytest.fixture
def stocked(shop: SearchShop) -> dict[str, int]:
    """120 products in several commits, many at one price, many with long SKUs alike; price by SKU."""
    order = random.Random(7)
    names = [f"{ALIKE}{n:02}" for n in range(60)] + [f"{n:05}" for n in range(60)]
    order.shuffle(names)
    prices = {name: order.choice([0, 100, 100, 100, 250]) for name in names}
    for start in range(0, len(names), 17):
        shop.happens(
            *(listed(name, "Mug", price=f"{prices[name] / 100:.2f}") for name in names[start : start + 17])
        )
    shop.happens(*(received(name, 1) for name in names[::3]))
    return prices


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
def test_every_sort_visits_each_product_once_and_in_order(
    shop: SearchShop, stocked: dict[str, int], limit: int
) -> None:
    assert walk(shop, "sku", limit) == sorted(stocked)
    assert walk(shop, "price_asc", limit) == sorted(stocked, key=lambda sku: (stocked[sku], sku))
    assert walk(shop, "price_desc", limit) == sorted(stocked, key=lambda sku: (-stocked[sku], sku))
    assert walk(shop, "newest", limit) == list(reversed(list(stocked)))
    found = walk(shop, "relevance", limit, words="mug")
    assert sorted(found) == sorted(stocked)


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("typed", ["lantern", "lant", "lanten", "lantern zyxwvut", "paper lantern"])
def test_whatever_the_sort_the_walk_has_what_total_and_facets_count(
    shop: SearchShop, typed: str, limit: int
) -> None:
    """Three tiers, dear ones first: as typed, begun, with a slip."""
    titles = ["Lantern", "Paper lantern", "Lanternfish", "Lanternfish big", "Lantren", "Lantren lamp"]
    shop.happens(
        *(listed(f"{n}", title, price=f"{9 - n}.00", color=title[:4]) for n, title in enumerate(titles))
    )
    pages = {}
    for sort in ("relevance", "price_asc", "price_desc", "newest"):
        walked = walk(shop, sort, limit, words=typed)
        page = shop.reader.search(ProductQuery(words=typed, sort=sort), limit=limit)
        assert (len(walked), len(set(walked))) == (page.total, page.total)
        pages[sort] = (sorted(walked), page.total, page.facets)
    assert all(page == pages["relevance"] for page in pages.values())


def test_tiers_follow_each_other_each_sorted(shop: SearchShop) -> None:
    titles = {"A": "Lantern", "B": "Lantern", "C": "Lanternfish", "D": "Lanternfish", "E": "Lantren"}
    shop.happens(*(listed(sku, titles[sku], price=f"{ord('Z') - ord(sku)}.00") for sku in titles))
    for limit in (1, 2, 9):
        assert walk(shop, "price_asc", limit, words="lantern") == ["B", "A", "D", "C", "E"]
        assert walk(shop, "price_desc", limit, words="lantern") == ["A", "B", "C", "D", "E"]
        assert walk(shop, "newest", limit, words="lantern") == ["B", "A", "D", "C", "E"]


def test_a_filter_that_only_a_lower_tier_passes_leaves_that_tier_whatever_the_sort(shop: SearchShop) -> None:
    shop.happens(listed("A", "Lantern", category="Garden"), listed("B", "Lanternfish", category="Sea"))
    assert shop.finds("lantern", category="Sea") == ["B"]
    assert shop.finds("lantern", category="Sea", sort="price_asc") == ["B"]


def test_a_filter_holds_on_every_page(shop: SearchShop, stocked: dict[str, int]) -> None:
    cheap = sorted(sku for sku, price in stocked.items() if price == 100)
    assert walk(shop, "price_asc", 9, price_min=1, price_max=100) == cheap


def test_what_changes_behind_or_before_the_page_moves_no_other(
    shop: SearchShop, stocked: dict[str, int]
) -> None:
    query = ProductQuery(sort="sku")
    first = shop.reader.search(query, limit=40)
    gone, changed = skus(first.items)[3], skus(first.items)[5]
    shop.happens(priced(changed, "0.09"), listed("0", "Mug"))
    second = shop.reader.search(query, limit=200, place=first.next)
    assert gone not in skus(second.items)
    assert skus(first.items) + skus(second.items) == sorted(stocked)


def test_pages_by_relevance_stay_in_the_commit_they_began_in(
    shop: SearchShop, stocked: dict[str, int]
) -> None:
    query = ProductQuery(words="mug", sort="relevance")
    first = shop.reader.search(query, limit=50)
    shop.happens(*(listed(f"NEW-{n}", "Mug mug mug") for n in range(30)))
    second = shop.reader.search(query, limit=200, place=first.next)
    assert sorted(skus(first.items) + skus(second.items)) == sorted(stocked)
    assert second.position == first.position


def test_pages_by_relevance_end_where_their_commit_is_forgotten(shop: SearchShop) -> None:
    shop.happens(listed("A", "Mug"), listed("B", "Mug"))
    with pytest.raises(PlaceExpiredError):
        shop.reader.search(ProductQuery(words="mug", sort="relevance"), limit=1, place=Offset(1, "1.99999"))


def test_pages_by_relevance_are_a_thousand_hits_deep(shop: SearchShop) -> None:
    shop.happens(*(listed(f"S{n:04}", "Mug") for n in range(1_005)))
    query = ProductQuery(words="mug", sort="relevance")
    first = shop.reader.search(query, limit=999)
    assert isinstance(first.next, Offset)
    page = shop.reader.search(query, limit=100, place=first.next)
    assert (len(page.items), page.total, page.next) == (1, 1_005, None)
    for offset in (1_000, 5_000):
        beyond = shop.reader.search(query, limit=1, place=Offset(offset, first.next.generation))
        assert (beyond.items, beyond.next) == ([], None)


def test_a_place_that_no_page_gave_is_only_another_place(shop: SearchShop, stocked: dict[str, int]) -> None:
    page = shop.reader.search(ProductQuery(sort="price_desc"), limit=500, place=After(0, "zzz"))
    assert page.items == []
    page = shop.reader.search(ProductQuery(sort="price_asc"), limit=500, place=After(2**63 - 1, "A"))
    assert page.items == []


@given(one=SKU, other=SKU)
def test_the_numbers_of_skus_sort_as_the_skus_do(one: str, other: str) -> None:
    if sku_numbers(one) < sku_numbers(other):
        assert one < other


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(SKU, min_size=1, max_size=8), limit=st.integers(1, 4))
def test_any_skus_are_walked_in_their_order(shop: SearchShop, names: set[str], limit: int) -> None:
    shop.happens(*(listed(name) for name in names))
    everything = set(shop.finds())
    assert names <= everything
    assert walk(shop, "sku", limit) == sorted(everything)
