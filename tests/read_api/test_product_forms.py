"""A product's page in a currency, and some of its fields alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import httpx
import pytest

from aggregates.catalog.events import PriceChanged
from aggregates.pricing.rules import PriceList
from aggregates.terms.events import MarketDefined, PriceListDefined
from projections.documents.shapes import ProductDocument
from tests.shop.facts import priced
from tests.shop.views import ViewShop
from tests.terms.samples import AMERICA, BRITAIN

PATH = "/api/v1/products/MUG"
EUROS = PriceList(list_id="euros", currency="EUR", markets=("eu",))
EUROPE = replace(BRITAIN, market_id="eu", countries=("FR",), currencies=("GBP", "EUR"))


@pytest.fixture
def abroad(shop: ViewShop) -> ViewShop:
    """A mug with prices in pounds and yen, and in euros in one market."""
    shop.lists("MUG")
    shop.happens(priced("MUG", "2500", "JPY"), *(MarketDefined(market=one) for one in (EUROPE, AMERICA)))
    tiers = ((1, Decimal("14.50")),)
    shop.happens(
        PriceListDefined(price_list=EUROS), PriceChanged(sku="MUG", list=EUROS, currency="EUR", tiers=tiers)
    )
    return shop


def price(api: httpx.Client, query: str) -> tuple[int, str] | None:
    page = api.get(f"{PATH}?{query}").raise_for_status().json()
    assert all(one["currency"] == page["price"]["currency"] for one in page["prices"])
    return page["price"] and (page["price"]["amount"], page["price"]["currency"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("currency=GBP", (1299, "GBP")),
        ("currency=JPY", (2500, "JPY")),
        ("currency=EUR", None),
        ("currency=USD", None),
        ("market=main&currency=JPY", (2500, "JPY")),
        ("market=eu&currency=EUR", (1450, "EUR")),
        ("market=eu&currency=GBP", (1299, "GBP")),
        ("market=eu&currency=JPY", None),
        ("market=us&currency=GBP", None),
    ],
)
def test_a_currency_is_that_of_the_market_or_of_main(
    abroad: ViewShop, api: httpx.Client, query: str, expected: tuple[int, str] | None
) -> None:
    assert price(api, query) == expected


def test_the_prior_price_is_in_the_currency_too(abroad: ViewShop, api: httpx.Client) -> None:
    abroad.happens(priced("MUG", "10.00"))
    pounds, yen = (api.get(f"{PATH}?currency={one}").json() for one in ("GBP", "JPY"))
    assert yen["prior_price"] is None
    assert [point["amount"] for point in yen["price_points"]][-1] == 2500
    assert [point["amount"] for point in pounds["price_points"]][-1] == 1000


def test_fields_are_those_of_the_page_in_the_order_named(abroad: ViewShop, api: httpx.Client) -> None:
    page = api.get(PATH).json()
    some = api.get(f"{PATH}?fields=title,sku,price,title")
    assert list(some.json().items()) == [(name, page[name]) for name in ("title", "sku", "price")]
    everything = ",".join(ProductDocument.__struct_fields__)
    assert api.get(f"{PATH}?fields={everything}").json() == page
    assert some.headers["last-modified"] == api.get(PATH).headers["last-modified"]
    in_euros = api.get(f"{PATH}?fields=price&market=eu&currency=EUR").json()
    assert in_euros == {"price": {"amount": 1450, "currency": "EUR"}}


def test_each_form_has_its_tag(abroad: ViewShop, api: httpx.Client) -> None:
    forms = ("", "?fields=sku", "?fields=title", "?currency=JPY", "?market=eu&currency=EUR")
    tags = {form: api.get(PATH + form).headers["etag"] for form in forms}
    assert len(set(tags.values())) == len(forms)
    for form, tag in tags.items():
        assert api.get(PATH + form, headers={"If-None-Match": tag}).status_code == 304, form
        other = api.get(PATH + form, headers={"If-None-Match": tags["" if form else "?fields=sku"]})
        assert other.status_code == 200, form


def test_lists_give_fields_too(abroad: ViewShop, api: httpx.Client) -> None:
    abroad.lists("CUP")
    assert api.get("/api/v1/products?fields=sku,available").json()["items"] == [
        {"sku": "CUP", "available": 5},
        {"sku": "MUG", "available": 5},
    ]
    assert api.get("/api/v1/products?sku=MUG,CUP&fields=sku").json()["items"] == [
        {"sku": "MUG"},
        {"sku": "CUP"},
    ]
    (hit,) = api.get("/api/v1/search?q=MUG&fields=sku&limit=1").json()["items"]
    assert hit.keys() == {"sku", "highlights"}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("fields=", 422, "fields"),
        ("fields=colour", 422, "fields"),
        ("fields=sku,", 422, "fields"),
        ("fields=sku,secret", 422, "fields"),
        ("fields=sku&fields=title", 400, "fields"),
        ("currency=gbp", 422, "currency"),
        ("currency=", 422, "currency"),
        ("currency=EUR%0A", 422, None),
        ("language=de", 400, "language"),
    ],
)
@pytest.mark.parametrize("path", [PATH, "/api/v1/products", "/api/v1/search"])
def test_a_form_that_there_is_not_is_refused(
    abroad: ViewShop, api: httpx.Client, path: str, query: str, status: int, field: str | None
) -> None:
    refused = api.get(f"{path}?{query}")
    assert (refused.status_code, refused.json().get("field")) == (status, field or refused.json()["field"])
