"""The routes of products' facts and prices: on lists, in windows, all or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aggregates.catalog.events import PriceChanged, PriceScheduled, ProductListed, ProductRevised
from aggregates.pricing.rules import PriceList
from event_store.memory.log import MemoryLog
from tests.shop.commands import eventually
from tests.shop.http import Shop, open_shop, product_body

LATER = "2199-01-01T00:00:00Z"
LATEST = "2199-02-01T00:00:00Z"
TRADE = {"list_id": "trade", "currency": "GBP"}


def in_a_shop(tmp_path: Path, scenario: Callable[[Shop], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG")
            await shop.product("PAN")
            await scenario(shop)

    asyncio.run(run())


def tier(start: int, amount: int, currency: str = "GBP", **more: Any) -> dict[str, Any]:
    return {"from": start, "amount": amount, "currency": currency} | more


async def refused(shop: Shop, path: str, body: Any, status: int, kind: str) -> dict[str, Any]:
    head = shop.log.head()
    answer = await shop.post(path, body)
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{kind}"), problem
    assert shop.log.head() == head
    return problem


def test_a_product_is_listed_with_what_taxes_and_shipping_ask_for_and_revised(tmp_path: Path) -> None:
    facts = {"tax_category": "books", "weight_grams": 320, "ships": False, "discountable": False}

    async def scenario(shop: Shop) -> None:
        answer = await shop.post("/products", product_body("BOOK") | facts)
        assert answer.status_code == 201, answer.text
        (*_, listed) = shop.events("catalog.product_listed")
        assert isinstance(listed, ProductListed)
        assert (listed.tax_category, listed.weight_grams, listed.ships, listed.discountable) == (
            *("books", 320, False, False),
        )
        revised = {"title": "Book", "category": "Books", "weight_grams": 350, "gift_card": True}
        for _ in range(2):
            answer = await shop.client.put("/api/v1/products/BOOK", json=revised)
            assert (answer.status_code, answer.json()["version"]) == (200, 2)
        (event,) = shop.events("catalog.product_revised")
        assert isinstance(event, ProductRevised)
        assert (event.title, event.weight_grams, event.gift_card, event.ships) == ("Book", 350, True, False)
        answer = await shop.client.put("/api/v1/products/NONE", json=revised)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-product")
        answer = await shop.client.put("/api/v1/products/BOOK", json=revised | {"price": {}})
        assert answer.status_code == 422

    in_a_shop(tmp_path, scenario)


def test_tiers_hold_from_now_on_on_the_base_list_and_on_others(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        tiers = [tier(1, 1000), tier(10, 256, exact="2.555")]
        answer = await shop.post("/products/MUG/price", {"tiers": tiers})
        assert (answer.status_code, answer.json().keys()) == (200, {"id", "version", "position"})
        await shop.post("/price-lists", TRADE | {"customer_groups": ["trade"]})
        answer = await shop.post("/products/MUG/price", {"tiers": [tier(5, 875)], "list_id": "trade"})
        assert answer.status_code == 200, answer.text
        own, trade = shop.events("catalog.price_changed")
        assert own.tiers == ((1, Decimal("10")), (10, Decimal("2.555")))
        assert (own.list, own.schedule_id) == (PriceList(list_id="base", currency="GBP"), None)
        assert trade.list == PriceList(list_id="trade", currency="GBP", customer_groups=("trade",))

    in_a_shop(tmp_path, scenario)


def test_a_base_price_contains_tax_unless_the_home_says_otherwise(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.client.put("/api/v1/home", json={"country": "US", "tax_included": False})
        await shop.product("CUP")
        await shop.post("/products/MUG/price", {"price": {"amount": 900, "currency": "GBP"}})
        listed, changed = shop.events("catalog.price_changed")
        assert (listed.sku, listed.list.tax_included, listed.tiers) == (
            "CUP",
            False,
            ((1, Decimal("12.99")),),
        )
        assert (changed.sku, changed.list.tax_included) == ("MUG", False)
        again = await shop.post("/products", product_body("CUP"))
        assert (again.status_code, again.json()["version"]) == (200, 2)

    in_a_shop(tmp_path, scenario)


def test_what_is_in_a_base_price_is_what_was_when_it_was_set(tmp_path: Path) -> None:
    market = {"market_id": "us", "countries": ["US"], "currencies": ["GBP"], "tax_pricing": "exclusive"}

    async def scenario(shop: Shop) -> None:
        await shop.post("/markets", market)
        await shop.client.put("/api/v1/home", json={"country": "US", "tax_included": False})
        cart_id = (await shop.post("/carts", {"currency": "GBP", "market": "us"})).json()["id"]
        adding = f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1}
        await refused(shop, *adding, 409, "price-missing")
        await shop.post("/products/MUG/price", {"price": {"amount": 1299, "currency": "GBP"}})
        added = await shop.post(*adding)
        assert added.status_code in (200, 201), added.text

    in_a_shop(tmp_path, scenario)


def test_a_price_of_later_is_scheduled_and_canceled(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        price = {"amount": 900, "currency": "GBP"}
        answer = await shop.post("/products/MUG/price", {"price": price, "starts_at": LATER})
        schedule_id = answer.json()["schedule_id"]
        (scheduled,) = shop.events("catalog.price_scheduled")
        assert isinstance(scheduled, PriceScheduled)
        assert (scheduled.schedule_id, scheduled.starts_at) == (schedule_id, datetime(2199, 1, 1, tzinfo=UTC))
        assert scheduled.ends_at is None
        assert shop.events("catalog.price_changed") == []
        path = "/products/MUG/price/cancel"
        assert (await shop.post(path, {"schedule_id": schedule_id})).status_code == 200
        await refused(shop, path, {"schedule_id": schedule_id}, 404, "unknown-price-schedule")

    in_a_shop(tmp_path, scenario)


def test_a_price_that_ends_holds_at_once_and_is_withdrawn_when_its_schedule_is_canceled(
    tmp_path: Path,
) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.post("/price-lists", TRADE)
        body = {"tiers": [tier(1, 900)], "list_id": "trade", "ends_at": LATER}
        schedule_id = (await shop.post("/products/MUG/price", body)).json()["schedule_id"]
        (changed,) = shop.events("catalog.price_changed")
        assert isinstance(changed, PriceChanged)
        assert changed.schedule_id == schedule_id
        await refused(shop, "/products/MUG/price", body, 409, "price-schedule-overlap")
        await shop.post("/products/MUG/price/cancel", {"schedule_id": schedule_id})
        (withdrawn,) = shop.events("catalog.price_withdrawn")
        assert withdrawn.schedule_id == schedule_id

    in_a_shop(tmp_path, scenario)


def test_prices_of_a_list_are_changed_all_or_none_in_the_window_of_the_list(tmp_path: Path) -> None:
    path = "/price-lists/spring/prices"

    async def scenario(shop: Shop) -> None:
        spring = {"list_id": "spring", "kind": "sale", "currency": "GBP"}
        await shop.post("/price-lists", spring | {"starts_at": LATER, "ends_at": LATEST})
        items = [{"sku": sku, "tiers": [tier(1, 900)]} for sku in ("MUG", "PAN")]
        gone = [*items, {"sku": "GONE", "tiers": [tier(1, 900)]}]
        problem = await refused(shop, path, {"items": gone}, 404, "unknown-product")
        assert problem["sku"] == "GONE"
        answer = await shop.post(path, {"items": items})
        assert (answer.status_code, answer.json()["id"], answer.json()["version"]) == (200, "spring", 1)
        schedules = shop.events("catalog.price_scheduled")
        assert [(one.sku, one.schedule_id) for one in schedules] == [
            ("MUG", answer.json()["schedule_id"]),
            ("PAN", answer.json()["schedule_id"]),
        ]
        assert schedules[0].ends_at == datetime(2199, 2, 1, tzinfo=UTC)

    in_a_shop(tmp_path, scenario)


def test_a_thousand_products_are_priced_by_one_command_and_no_more(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.post("/price-lists", TRADE)
        for n in range(1_000):
            await shop.product(f"P{n}")
        items = [{"sku": f"P{n}", "tiers": [tier(1, 900)]} for n in range(1_000)]
        answer = await shop.post("/price-lists/trade/prices", {"items": items, "ends_at": LATER})
        assert answer.status_code == 200, answer.text
        assert len(shop.events("catalog.price_changed")) == 1_000
        more = [*items, {"sku": "MUG", "tiers": [tier(1, 900)]}]
        await refused(shop, "/price-lists/trade/prices", {"items": more}, 422, "invalid-request")

    in_a_shop(tmp_path, scenario)


def test_a_price_that_could_never_hold_is_named(tmp_path: Path) -> None:
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    price = {"amount": 900, "currency": "GBP"}

    async def scenario(shop: Shop) -> None:
        await shop.post("/price-lists", TRADE)
        await shop.post("/price-lists", TRADE | {"list_id": "old"})
        await shop.post("/price-lists/old/end")
        await eventually(lambda: bool(shop.events("catalog.list_prices_withdrawn")), shop.log.head)
        mug, trade = "/products/MUG/price", "/price-lists/trade/prices"
        euros = {"items": [{"sku": "MUG", "tiers": [tier(1, 9, "EUR")]}]}
        unfit: list[tuple[str, dict[str, Any], str]] = [
            (mug, {"price": price, "ends_at": LATER}, "body.ends_at"),
            (mug, {"price": price, "list_id": "trade", "ends_at": past}, "body.ends_at"),
            (
                mug,
                {"price": price, "list_id": "trade", "starts_at": LATER, "ends_at": LATER},
                "body.ends_at",
            ),
            (mug, {"price": price | {"currency": "EUR"}, "list_id": "trade"}, "body.price.currency"),
            (mug, {"tiers": [tier(1, 9, "EUR")], "list_id": "trade"}, "body.tiers.0.currency"),
            (
                trade,
                euros,
                "body.items.0.tiers.0.currency",
            ),
        ]
        for path, body, field in unfit:
            problem = await refused(shop, path, body, 422, "price-unfit")
            assert [error["field"] for error in problem["errors"]] == [field]
        invalid: list[dict[str, Any]] = [
            {},
            {"price": price, "tiers": [tier(1, 9)]},
            {"tiers": []},
            {"tiers": [tier(2, 9), tier(2, 8)]},
            {"tiers": [tier(1, 9), tier(2, 8, "EUR")]},
            {"tiers": [tier(0, 9)]},
            {"price": price, "starts_at": "tomorrow"},
        ]
        for body in invalid:
            await refused(shop, mug, body, 422, "invalid-request")
        twice = {"items": [{"sku": "MUG", "tiers": [tier(1, 9)]}] * 2}
        await refused(shop, trade, twice, 422, "invalid-request")
        await refused(shop, mug, {"price": price, "list_id": "none"}, 404, "unknown-rule")
        await refused(shop, mug, {"price": price, "list_id": "old"}, 409, "price-list-over")
        await refused(shop, mug, {"tiers": [tier(1, 9, exact="2.555")]}, 409, "price-mismatch")

    in_a_shop(tmp_path, scenario)
