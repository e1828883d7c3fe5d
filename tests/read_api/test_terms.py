"""The rules of sale as pages and operators read them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from aggregates.pricing.rules import PickupPoint, ShippingMethod, ShippingTier
from aggregates.terms.events import (
    HomeSet,
    MarketDefined,
    MarketRetired,
    PriceListDefined,
    PriceListEnded,
    PromotionDefined,
    PromotionEnded,
    PromotionStarted,
    ShippingMethodDefined,
    ShippingMethodRetired,
)
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.views import ViewShop
from tests.terms.samples import AMERICA, BRITAIN, JUNE, MAY, POST, SPRING, TRADE, ten_percent

SHOP_POINT = PickupPoint(point_id="soho", label="Soho", country="GB", postal_code="W1D 3QU")
COLLECT = ShippingMethod(
    method_id="collect",
    label="Collect",
    kind="pickup",
    by="amount",
    tiers=(ShippingTier(price={"GBP": 100, "EUR": 120}, from_amount={"GBP": 0, "EUR": 0}),),
    points=(SHOP_POINT,),
)
EVERYWHERE = ShippingMethod(method_id="air", label="Air", tiers=(ShippingTier(price={"USD": 2_000}),))
RULES: tuple[Any, ...] = (
    HomeSet(country="GB"),
    MarketDefined(market=AMERICA),
    MarketDefined(market=BRITAIN),
    PriceListDefined(price_list=TRADE),
    PriceListDefined(price_list=SPRING),
    *(ShippingMethodDefined(method=method) for method in (POST, COLLECT, EVERYWHERE)),
    PromotionDefined(promotion=ten_percent("open", announce=True, markets=("gb",))),
    PromotionDefined(promotion=ten_percent("later", announce=True, starts_at=MAY, ends_at=JUNE)),
    PromotionDefined(promotion=ten_percent("coupon", announce=True, automatic=False)),
    PromotionDefined(promotion=ten_percent("quiet")),
)


def listed(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(api: httpx.Client, path: str) -> list[str]:
    return [next(iter(item.values())) for item in listed(api, path)]


def test_markets_stand_by_id_as_they_are_in_force(shop: ViewShop, api: httpx.Client) -> None:
    assert shop.happens() == 0
    shop.happens(*RULES)
    gb, us = listed(api, "/api/v1/markets")
    assert gb == {
        "market_id": "gb",
        "label": "Great Britain",
        "countries": ["GB"],
        "currencies": ["GBP"],
        "locales": ["en"],
        "tax_pricing": "inclusive",
        "shipping_tax": "proportional",
        "reference_area": None,
        "progressive": False,
    }
    assert (us["market_id"], us["tax_pricing"]) == ("us", "exclusive")
    shop.happens(MarketDefined(market=replace(BRITAIN, label="GB")), MarketRetired(market_id="us"))
    assert [market["label"] for market in listed(api, "/api/v1/markets")] == ["GB"]


def test_lists_of_rules_have_pages_tags_and_the_views_position(shop: ViewShop, api: httpx.Client) -> None:
    position = shop.happens(*RULES)
    first = api.get("/api/v1/markets?limit=1", headers={"Daybook-Min-Position": str(position)})
    assert first.headers["Daybook-View-Position"] == str(position)
    again = api.get("/api/v1/markets?limit=1", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    rest = api.get("/api/v1/markets", params={"limit": 1, "cursor": first.json()["next"]}).json()
    shown = [market["market_id"] for market in first.json()["items"] + rest["items"]]
    assert (shown, rest["next"]) == (["gb", "us"], None)
    wrong = api.get("/api/v1/promotions", params={"cursor": first.json()["next"]})
    assert (wrong.status_code, wrong.json()["type"]) == (400, "/problems/invalid-cursor")


def test_a_shop_without_rules_has_empty_lists(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    for path in ("markets", "shipping-methods", "promotions", "price-lists"):
        assert listed(api, f"/api/v1/{path}") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["air", "collect"]),
        ("?market=gb", ["air", "collect", "post"]),
        ("?market=gb&country=GB", ["air", "collect", "post"]),
        ("?market=gb&country=FR", []),
        ("?country=FR", ["air"]),
        ("?market=us&country=US", ["air"]),
    ],
)
def test_ways_to_ship_are_those_of_a_market_that_go_to_a_country(
    shop: ViewShop, api: httpx.Client, query: str, found: list[str]
) -> None:
    shop.happens(*RULES)
    assert ids(api, f"/api/v1/shipping-methods{query}") == found


def test_a_way_to_ship_shows_its_prices_by_currency(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*RULES)
    _, collect, post = listed(api, "/api/v1/shipping-methods?market=gb")
    pounds = {"amount": 80, "currency": "GBP"}
    assert post["tiers"][2] == {
        "price": [{"amount": 895, "currency": "GBP"}],
        "at_least": 5_000,
        "step": 500,
        "step_price": [pounds],
    }
    assert (post["by"], post["days"], post["zones"][0]["except_postal_prefixes"]) == (
        "weight_grams",
        [2, 4],
        ["BT"],
    )
    assert [price["currency"] for price in collect["tiers"][0]["from_amount"]] == ["EUR", "GBP"]
    assert collect["points"][0]["point_id"] == "soho"
    shop.happens(ShippingMethodRetired(method_id="air"))
    assert ids(api, "/api/v1/shipping-methods") == ["collect"]


def test_a_market_that_is_not_there_is_a_problem(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*RULES)
    answer = api.get("/api/v1/shipping-methods?market=mars")
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["market"]) == (
        404,
        "/problems/unknown-market",
        "mars",
    )


def test_promotions_are_shown_while_they_run_to_everybody(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*RULES)
    assert listed(api, "/api/v1/promotions") == [
        {"promotion_id": "open", "label": "10 % off", "markets": ["gb"], "starts_at": None, "ends_at": None}
    ]
    shop.happens(PromotionStarted(promotion_id="later"), PromotionStarted(promotion_id="coupon"))
    assert ids(api, "/api/v1/promotions") == ["later", "open"]
    shop.happens(PromotionEnded(promotion_id="open", reason="sold out"))
    assert ids(api, "/api/v1/promotions") == ["later"]
    shop.happens(PromotionDefined(promotion=ten_percent("later", announce=True, starts_at=JUNE)))
    assert ids(api, "/api/v1/promotions") == [], "defined again, it is still to start"


def test_price_lists_are_for_the_operator(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.happens(*RULES)
    guarded = query_settings.model_copy(update={"operator_token": "t" * 20})
    app = build_query_app(guarded, ready_position=lambda: 0)
    with running(app) as address, httpx.Client(base_url=address) as client:
        answer = client.get("/api/v1/price-lists")
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/operator-token-required")
        client.headers["Authorization"] = f"Bearer {'t' * 20}"
        spring, trade = listed(client, "/api/v1/price-lists")
    assert spring == {
        "list_id": "spring",
        "kind": "sale",
        "currency": "GBP",
        "label": "Spring",
        "markets": [],
        "customer_groups": [],
        "tax_included": True,
        "priority": 0,
        "starts_at": "2026-05-01T00:00:00Z",
        "ends_at": "2026-06-01T00:00:00Z",
    }
    assert (trade["customer_groups"], trade["priority"]) == (["trade"], 50)


def test_an_ended_price_list_is_not_shown(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*RULES, PriceListEnded(list_id="spring"))
    assert ids(api, "/api/v1/price-lists") == ["trade"]
