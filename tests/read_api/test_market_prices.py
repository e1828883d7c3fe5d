"""A product's page shows the price that a cart of the named market takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.catalog.events import PriceChanged, PriceWithdrawn
from aggregates.pricing.offer import ListPrice
from aggregates.pricing.rules import BASE, PriceList
from aggregates.pricing.selecting import choose
from aggregates.terms.events import HomeSet, MarketDefined, PriceListDefined, PriceListEnded
from projections.documents import shapes
from projections.views import catalog, price_history, terms
from read_api.market_prices import in_market
from tests.shop.facts import listed, recorded
from tests.shop.views import ViewShop
from tests.terms.samples import AMERICA, BRITAIN

DOLLARS = PriceList(list_id="dollars", currency="USD", markets=("us",), tax_included=False, label="US prices")
SALE = replace(DOLLARS, list_id="us-sale", kind="sale")
TRADE = replace(DOLLARS, list_id="us-trade", customer_groups=("trade",))
BRITISH_SALE = PriceList(list_id="gb-sale", currency="GBP", kind="sale", markets=("gb",))
RULES = (
    MarketDefined(market=AMERICA),
    MarketDefined(market=BRITAIN),
    *(PriceListDefined(price_list=one) for one in (DOLLARS, SALE, TRADE, BRITISH_SALE)),
)
PATH = "/api/v1/products/MUG"


def changed(price_list: PriceList, *tiers: tuple[int, str]) -> PriceChanged:
    exact = tuple((start, Decimal(price)) for start, price in tiers)
    return PriceChanged(sku="MUG", list=price_list, currency=price_list.currency, tiers=exact)


def withdrawn(price_list: PriceList) -> PriceWithdrawn:
    return PriceWithdrawn(sku="MUG", list_id=price_list.list_id, currency=price_list.currency)


def prices(api: httpx.Client, query: str = "") -> tuple[Any, Any, Any]:
    page = api.get(PATH + query).json()
    return tuple(page[name] and page[name]["amount"] for name in ("price", "was", "prior_price"))  # type: ignore[return-value]


def test_a_market_has_its_own_price_in_its_currency(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    shop.happens(*RULES, changed(DOLLARS, (1, "15.00"), (5, "12.505")), changed(TRADE, (1, "1.00")))
    us = api.get(f"{PATH}?market=us").json()
    assert (us["price"], us["was"], us["prior_price"]) == ({"amount": 1500, "currency": "USD"}, None, None)
    (only,) = us["prices"]
    assert (only["list_id"], only["markets"], only["tax_included"]) == ("dollars", ["us"], False)
    assert only["tiers"][1]["exact"] == "12.505"
    assert us["available"] == api.get(PATH).json()["available"] == 5
    assert prices(api, "?market=gb") == (1299, None, None)
    assert prices(api) == prices(api, "?market=main") == (1299, None, None)


def test_a_sale_of_a_market_names_what_it_beat_and_the_prior_price_there(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.lists("MUG")
    shop.happens(*RULES, changed(DOLLARS, (1, "15.00")), changed(SALE, (1, "11.00")))
    assert prices(api, "?market=us") == (1100, 1500, None), "of one moment there is no price before"
    assert prices(api, "?market=gb") == (1299, None, None)
    shop.happens(changed(BRITISH_SALE, (1, "9.00")))
    assert prices(api) == (1299, None, None), "main is another market"
    assert prices(api, "?market=gb")[:2] == (900, 1299)
    shop.happens(PriceListEnded(list_id="us-sale"))
    assert prices(api, "?market=us") == (1100, 1500, None), "its prices end by events of their own"
    shop.happens(withdrawn(SALE))
    assert prices(api, "?market=us") == (1500, None, None)


def test_a_base_price_contains_tax_as_the_home_said_when_it_was_set(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.lists("MUG")
    shop.happens(*RULES, MarketDefined(market=replace(AMERICA, currencies=("GBP",))))
    assert prices(api, "?market=us") == (None, None, None)
    shop.happens(HomeSet(country="US", tax_included=False))
    assert prices(api, "?market=us") == (None, None, None)
    without_tax = PriceList(list_id=BASE, currency="GBP", tax_included=False)
    shop.happens(changed(without_tax, (1, "12.99")))
    assert prices(api, "?market=us") == (1299, None, None)
    assert prices(api, "?market=gb") == (None, None, None)


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ("?market=mars", 404, "unknown-market"),
        ("?market=", 422, "invalid-request"),
        ("?market=a%20b", 422, "invalid-request"),
        ("?market=gb&market=us", 400, "unknown-parameter"),
        ("?locale=de", 400, "unknown-parameter"),
    ],
)
def test_a_market_that_cannot_be_is_a_problem(
    shop: ViewShop, api: httpx.Client, query: str, status: int, slug: str
) -> None:
    shop.lists("MUG")
    shop.happens(*RULES)
    answer = api.get(PATH + query)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}")
    if status == 422:
        assert problem["field"] == "market"


def test_a_product_that_is_not_there_is_none_of_any_market(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*RULES)
    assert api.get("/api/v1/products/NONE?market=gb").json()["type"] == "/problems/unknown-product"


def test_a_market_page_is_as_fresh_as_all_that_it_is_made_of(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    shop.happens(*RULES)
    at = shop.happens(changed(BRITISH_SALE, (1, "9.00")), but_not_in=("price_history",))
    answer = api.get(f"{PATH}?market=gb")
    assert int(answer.headers["Daybook-View-Position"]) < at
    strict = {"Daybook-Min-Position": str(at), "Prefer": "handling=strict"}
    assert api.get(f"{PATH}?market=gb", headers=strict).status_code == 412
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert api.get(f"{PATH}?market=gb", headers=tag).status_code == 304


LISTS = (PriceList(list_id=BASE, currency="GBP"), BRITISH_SALE, *(
    PriceList(list_id=name, currency="GBP", priority=priority, markets=markets)
    for name, priority, markets in (("member", 5, ()), ("gb-own", 5, ("gb",)), ("fr-own", 9, ("fr",)))
))  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.sampled_from(range(len(LISTS))), st.integers(1, 9) | st.none(), st.integers(0, 20)),
    max_size=12,
)


@given(CHANGES)
def test_the_page_of_a_market_shows_what_carts_take_and_the_lowest_price_before_a_fall(
    changes: list[tuple[int, int | None, int]],
) -> None:
    """Against the choice among the lists at every day, and the lowest of 30 days by its plain meaning."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    day, held = 0, {BASE: ListPrice(price_list=LISTS[0], tiers=((1, Decimal(10)),))}
    happened: list[tuple[int, Any]] = [(0, listed("MUG", price="10"))]
    by_day = {0: 1000}
    for index, price, days in changes:
        price_list = LISTS[index]
        if price is None and price_list.list_id == BASE:
            continue
        day += days + 1
        if price is None:
            held.pop(price_list.list_id, None)
            happened.append((day, withdrawn(price_list)))
        else:
            held[price_list.list_id] = ListPrice(price_list=price_list, tiers=((1, Decimal(price)),))
            happened.append((day, changed(price_list, (1, str(price)))))
        chosen = choose(held.values(), "GBP", BRITAIN, (), 1)
        assert chosen is not None
        by_day[day] = int(chosen.tiers[0][1] * 100)
    documents: list[Any] = [None, None]
    for position, (at, event) in enumerate(happened, start=1):
        envelope = msgspec.structs.replace(recorded(position, event), valid_at=start + timedelta(days=at))
        for n, view in enumerate((catalog.VIEW, price_history.VIEW)):
            documents[n] = view.evolve("MUG", documents[n], event, envelope)  # type: ignore[attr-defined]
    market: shapes.Market = terms._market(BRITAIN)
    page = in_market(*documents, market)
    assert page.price is not None
    assert page.price.amount == by_day[max(by_day)]

    daily = []
    for each in range(max(by_day) + 1):
        daily.append(by_day.get(each, daily[-1] if daily else 0))
    last = max((n for n in range(1, len(daily)) if daily[n] != daily[n - 1]), default=0)
    prior = None
    if last and daily[last] < daily[last - 1]:
        prior = min(daily[max(0, last - 30) : last])
    assert (None if page.prior_price is None else page.prior_price.amount) == prior
