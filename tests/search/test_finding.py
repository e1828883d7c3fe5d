"""What shoppers find."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregates.catalog.events import ProductDelisted
from aggregates.inventory.events import StockAdjusted
from projections.documents.search import ProductQuery
from projections.documents.shapes import ProductDocument
from tests.shop.facts import listed, priced, received
from tests.shop.views import SearchShop


def test_a_word_of_the_title_outranks_the_same_word_of_a_description(shop: SearchShop) -> None:
    shop.happens(
        listed("A", "Cake tin", description="Looks well beside a lantern"),
        listed("B", "Paper lantern", description="For the garden"),
        listed("C", "Plate"),
    )
    assert shop.finds("lantern") == ["B", "A"]


def test_words_are_found_in_any_case_number_and_accent(shop: SearchShop) -> None:
    shop.happens(listed("A", "Café mugs"))
    assert shop.finds("CAFE MUG") == ["A"]


def test_every_word_that_anything_has_must_be_there_but_little_words_need_not(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug"), listed("B", "Blue mug"), listed("C", "Lantern"))
    assert shop.finds("red mug") == ["A"]
    assert shop.finds("the red mug") == ["A"]
    assert shop.finds("red mug lanthanum") == ["A"]


def test_a_misspelt_word_is_forgiven_and_ranks_behind_the_word_itself(shop: SearchShop) -> None:
    shop.happens(
        listed("A", "Lantren holder"),
        listed("B", "Lantern"),
        listed("C", "Christmas tree", category="Seasonal"),
    )
    assert shop.finds("lantern") == ["B", "A"]
    assert shop.finds("chritsmas") == ["C"]


def test_short_words_are_taken_as_they_are(shop: SearchShop) -> None:
    shop.happens(listed("A", "Cup"), listed("B", "Cap"))
    assert shop.finds("cup") == ["A"]


def test_a_sku_typed_in_any_case_is_found_first(shop: SearchShop) -> None:
    shop.happens(listed("85123A", "Heart holder"), listed("B", "Box", description="Like 85123a 85123a"))
    assert shop.finds("85123a")[0] == "85123A"


def test_attributes_and_categories_are_words_too(shop: SearchShop) -> None:
    shop.happens(listed("A", "Mug", color="Turquoise"), listed("B", "Fork", category="Cutlery"))
    assert shop.finds("turquoise") == ["A"]
    assert shop.finds("cutlery") == ["B"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=60))
def test_whatever_is_typed_is_words(shop: SearchShop, typed: str) -> None:
    shop.happens(listed("A", "Red mug"))
    shop.reader.search(ProductQuery(words=typed, sort="relevance"), limit=10)


@pytest.mark.parametrize("typed", ["title:mug", "mug AND (", '"red mug', "*", "-mug", "[1 TO 2]", "mug^9"])
def test_no_operator_is_known(shop: SearchShop, typed: str) -> None:
    shop.happens(listed("A", "Plate", category="Plates"))
    assert shop.finds(typed) == []


def test_a_category_has_those_below_it_and_not_its_namesakes(shop: SearchShop) -> None:
    shop.happens(
        listed("A", category="Kitchen > Mugs"),
        listed("B", category="Kitchen"),
        listed("C", category="Kitchenware"),
        listed("D", category="Toys > Kitchen"),
    )
    assert shop.finds(category="Kitchen") == ["A", "B"]
    assert shop.finds(category="Kitchen>Mugs") == ["A"]


def test_price_bounds_are_both_included(shop: SearchShop) -> None:
    shop.happens(*(listed(sku, price=price) for sku, price in (("A", "0"), ("B", "1.00"), ("C", "2.00"))))
    assert shop.finds(price_min=100) == ["B", "C"]
    assert shop.finds(price_max=100) == ["A", "B"]
    assert shop.finds(price_min=100, price_max=100) == ["B"]
    assert shop.finds(price_min=101, price_max=100) == []


def test_what_is_reserved_to_the_last_unit_is_not_in_stock(shop: SearchShop) -> None:
    shop.happens(listed("A"), received("A", 2), listed("B"))
    assert (shop.finds(in_stock=True), shop.finds(in_stock=False)) == (["A"], ["B"])
    shop.happens(StockAdjusted(sku="A", location="main", delta=-2, reason="count"))
    assert shop.finds(in_stock=True) == []


def test_each_facet_leaves_its_own_filter_out_and_honours_the_others(shop: SearchShop) -> None:
    shop.happens(
        listed("A", "Red mug", category="Kitchen > Mugs", color="red"),
        listed("B", "Red plate", category="Kitchen > Plates", color="red"),
        listed("C", "Blue ball", category="Toys", color="blue"),
        received("A", 1),
        received("C", 1),
    )
    filters = {"category": "Kitchen", "in_stock": True}
    assert shop.facet("category", **filters) == {"Kitchen": 1, "Kitchen > Mugs": 1, "Toys": 1}
    assert shop.facet("in_stock", **filters) == {"true": 1, "false": 1}
    assert shop.facet("attribute.color", **filters) == {"red": 1}
    assert shop.facet("attribute.color") == {"red": 2, "blue": 1}


def test_a_delisted_product_is_not_found_until_it_is_listed_again(shop: SearchShop) -> None:
    shop.happens(listed("A", "Mug"), received("A", 3))
    shop.happens(ProductDelisted(sku="A", reason="broken"))
    assert (shop.finds("mug"), shop.finds(), shop.facet("category")) == ([], [], {})
    shop.happens(listed("A", "Mug"))
    assert shop.finds("mug", in_stock=True) == ["A"]


def test_stock_that_came_before_the_listing_counts(shop: SearchShop) -> None:
    shop.happens(received("A", 3))
    assert shop.finds() == []
    shop.happens(listed("A"))
    assert shop.finds(in_stock=True) == ["A"]


def test_a_hit_is_the_product_page_itself(shop: SearchShop) -> None:
    shop.happens(listed("A", "Mug", price="2.555", color="red"), received("A", 4))
    shop.happens(priced("A", "3.50"))
    (item,) = shop.reader.search(ProductQuery(), limit=10).items
    page = msgspec.json.decode(item, type=ProductDocument)
    assert page.price is not None
    assert (page.price.amount, page.available, page.position) == (350, 4, 3)
    assert msgspec.json.encode(page) == item
