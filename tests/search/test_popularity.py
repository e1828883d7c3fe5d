"""Popularity: units ordered raise a product among those that have the words alike, and never above more."""

from __future__ import annotations

from typing import Any

import pytest

from aggregates.kernel import Money
from aggregates.orders.events import LineQuantity, OrderCanceled
from projections.documents.search import POPULARITY_MAX, ProductQuery
from projections.engine.follower import Decoded
from tests.shop.facts import DAY, listed, placed, received, recorded
from tests.shop.views import SearchShop

VERY_POPULAR = 2**POPULARITY_MAX


def canceled(order_id: str, sku: str, quantity: int) -> OrderCanceled:
    """The order of one line is canceled."""
    return OrderCanceled(
        order_id=order_id,
        cause="shopper",
        placed_on=DAY,
        currency="GBP",
        total=Money(1_000 * quantity, "GBP"),
        credited=Money(0, "GBP"),
        lines=(LineQuantity(line_id="1", sku=sku, quantity=quantity),),
    )


def test_of_products_that_have_the_words_alike_the_one_ordered_more_is_first(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug"), listed("B", "Blue mug"), listed("C", "Green mug"))
    shop.happens(placed("1", "B", 9), placed("2", "C", 2))
    assert shop.finds("mug") == ["B", "C", "A"]


def test_what_is_canceled_was_not_ordered(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug"), listed("B", "Blue mug"), placed("1", "A", 2), placed("2", "B", 9))
    assert shop.finds("mug") == ["B", "A"]
    shop.happens(canceled("2", "B", 9))
    assert shop.finds("mug") == ["A", "B"]


@pytest.mark.parametrize(
    ("typed", "better", "popular"),
    [
        ("lantern", "Lantern", "Lantren"),
        ("lant", "Lant", "Lanterns"),
        ("red mug", "Red mug", "Red mug tree"),
        ("pâté", "Pâté dish", "Pate dish"),
        ("HX-204", "HX-204", "Holder for the HX-204 kettle, HX-204 HX-204"),
        ("mug", "Mug", "Plate"),
    ],
)
def test_no_popularity_raises_a_product_above_a_better_match(
    shop: SearchShop, typed: str, better: str, popular: str
) -> None:
    shop.happens(
        listed("A", better), listed("B", popular, description="beside a mug"), placed("1", "B", VERY_POPULAR)
    )
    assert shop.finds(typed)[0] == "A"


def test_an_order_given_twice_counts_once(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug"), listed("B", "Blue mug"), placed("1", "A", 3))
    shop.build.apply([Decoded(recorded(3), placed("1", "A", 3))], up_to=3, tailing=True)
    shop.happens(placed("2", "B", 5))
    assert shop.finds("mug") == ["B", "A"]


def test_units_are_counted_across_commits_and_a_writer_that_starts_anew(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug"), listed("B", "Blue mug"), placed("1", "A", 3))
    shop.build.close()
    shop.build.open()
    shop.happens(placed("2", "B", 2), placed("3", "B", 2), received("B", 1))
    assert shop.finds("mug") == ["B", "A"]


def test_the_page_is_the_one_before_the_order(shop: SearchShop) -> None:
    """An order changes no product page, so the bytes served are those that the product's own view has."""
    shop.happens(listed("A", "Red mug"))
    before = found(shop)
    shop.happens(placed("1", "A", 3))
    assert found(shop) == before


def found(shop: SearchShop) -> Any:
    return shop.reader.search(ProductQuery(words="mug", sort="relevance"), limit=9).items
