"""Prices are compared within one currency: bounds, the order by price, and what everybody pays in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aggregates.catalog.events import PriceChanged, PriceWithdrawn
from aggregates.pricing.rules import PriceList
from projections.documents.search import CurrencyNeededError, ProductQuery, Sort
from tests.shop.facts import listed, priced
from tests.shop.views import SearchShop


def on_list(sku: str, price: str, currency: str, **head: Any) -> PriceChanged:
    """A price on a list of its own."""
    price_list = PriceList(list_id="l", currency=currency, **head)
    return PriceChanged(sku=sku, list=price_list, currency=currency, tiers=((1, Decimal(price)),))


@pytest.fixture
def abroad(shop: SearchShop) -> SearchShop:
    """A and B have prices in both currencies, in opposite order; C in pounds, D in yen alone."""
    shop.happens(
        *(
            listed("A", "Mug", price="1.00"),
            listed("B", "Mug", price="2.00"),
            listed("C", "Mug", price="3.00"),
        ),
        *(
            priced("A", "900", "JPY"),
            priced("B", "800", "JPY"),
            listed("D", "Mug", price="700", currency="JPY"),
        ),
    )
    return shop


def test_an_order_by_price_is_of_the_prices_in_the_currency(abroad: SearchShop) -> None:
    assert abroad.finds(sort="price_asc", currency="GBP") == ["A", "B", "C"]
    assert abroad.finds(sort="price_asc", currency="JPY") == ["D", "B", "A"]
    assert abroad.finds(sort="price_desc", currency="JPY") == ["A", "B", "D"]
    assert abroad.finds("mug", sort="price_desc", currency="GBP") == ["C", "B", "A"]


def test_bounds_are_of_the_prices_in_the_currency(abroad: SearchShop) -> None:
    assert abroad.finds(currency="GBP", price_min=200, price_max=900) == ["B", "C"]
    assert abroad.finds(currency="JPY", price_min=200, price_max=800) == ["B", "D"]
    assert sorted(abroad.finds("mug", currency="JPY", price_max=700)) == ["D"]


def test_a_currency_alone_leaves_what_has_a_price_in_it_and_its_facet_counts_the_others_too(
    abroad: SearchShop,
) -> None:
    assert abroad.finds(currency="JPY") == ["A", "B", "D"]
    assert abroad.facet("currency", currency="JPY") == {"GBP": 3, "JPY": 3}
    assert abroad.facet("currency") == {"GBP": 3, "JPY": 3}
    assert (abroad.finds(currency="EUR"), abroad.finds("mug", currency="EUR", price_min=1)) == ([], [])
    assert abroad.facet("currency", currency="EUR", sort="price_asc") == {"GBP": 3, "JPY": 3}


def test_the_facet_of_currencies_counts_what_each_would_find_with_the_bounds(abroad: SearchShop) -> None:
    for words in (None, "mug"):
        for bounds in ({"price_min": 250}, {"price_max": 750}, {"price_min": 150, "price_max": 850}):
            found = {
                one: len(abroad.finds(words, currency=one, sort="newest", **bounds)) for one in ("GBP", "JPY")
            }
            for currency in ("GBP", "JPY", "EUR"):
                shown = abroad.facet("currency", words=words, currency=currency, sort="newest", **bounds)
                assert shown == {one: count for one, count in found.items() if count}


@pytest.mark.parametrize(
    "compared", [{"sort": "price_asc"}, {"sort": "price_desc"}, {"price_min": 0}, {"price_max": 9}]
)
def test_prices_of_several_currencies_are_not_compared(abroad: SearchShop, compared: dict[str, Any]) -> None:
    with pytest.raises(CurrencyNeededError) as needed:
        abroad.reader.search(ProductQuery(words="mug", **compared), limit=1)
    assert needed.value.currencies == ("GBP", "JPY")
    assert abroad.reader.search(ProductQuery(words="mug", currency="JPY", **compared), limit=1).total <= 3


@pytest.mark.parametrize("sort", ["sku", "relevance", "newest"])
def test_what_compares_no_prices_needs_no_currency(abroad: SearchShop, sort: Sort) -> None:
    assert sorted(abroad.finds("mug", sort=sort)) == ["A", "B", "C", "D"]


def test_with_one_currency_none_is_named(shop: SearchShop) -> None:
    shop.happens(listed("A", "Mug", price="2.00"), listed("B", "Mug", price="1.00"))
    assert shop.finds(sort="price_asc") == shop.finds(sort="price_asc", currency="GBP") == ["B", "A"]
    assert shop.finds(price_max=100) == ["B"]


def test_a_shop_without_products_needs_no_currency(shop: SearchShop) -> None:
    shop.happens()
    assert shop.finds(sort="price_asc", price_min=1) == []


def test_the_price_in_a_currency_is_what_everybody_pays_in_it(shop: SearchShop) -> None:
    shop.happens(
        listed("A", price="9.00"),
        priced("A", "8.00", "EUR"),
        on_list("A", "5.00", "EUR", kind="sale"),
        listed("B", price="9.00"),
        on_list("B", "6.00", "EUR", markets=("de",)),
        listed("C", price="9.00"),
        on_list("C", "1.00", "EUR", customer_groups=("trade",)),
    )
    assert shop.finds(currency="EUR", price_min=500, price_max=500) == ["A"]
    assert shop.finds(currency="EUR", price_min=600, price_max=600) == ["B"]
    assert shop.finds(currency="EUR") == ["A", "B"]
    shop.happens(PriceWithdrawn(sku="B", list_id="l", currency="EUR"))
    assert shop.finds(currency="EUR") == ["A"]
    assert shop.facet("currency") == {"GBP": 3, "EUR": 1}


def test_a_page_by_price_goes_on_in_its_currency(abroad: SearchShop) -> None:
    query = ProductQuery(sort="price_asc", currency="JPY")
    first = abroad.reader.search(query, limit=1)
    second = abroad.reader.search(query, limit=5, place=first.next)
    assert [first.total, len(first.items), len(second.items), second.next] == [3, 1, 2, None]
