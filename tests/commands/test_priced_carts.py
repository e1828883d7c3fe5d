"""Carts and orders under rules of sale: what they cost, what holds a quoted price, what is claimed and
given back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aggregates.cart import cart
from aggregates.cart.events import CartPriced
from aggregates.folds import kind_of
from aggregates.inventory import stock
from aggregates.orders.events import OrderPlaced
from aggregates.terms.terms import MAIN_TERMS
from event_store.memory.log import MemoryLog
from projections.views import cart as cart_view
from replays.verification.verify import verify
from tests.projections.memory_views import MemoryView
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop
from tests.shop.log import decoded

MARKET = {"market_id": "uk", "countries": ["GB"], "currencies": ["GBP"], "tax_pricing": "inclusive"}
VAT = {
    "area_id": "GB",
    "country": "GB",
    "rates": [{"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}],
}
POST = {
    "method_id": "post",
    "label": "Royal Mail",
    "tiers": [{"price": {"GBP": 395}}],
    "free_from": {"GBP": 5000},
}
TEN = {
    "promotion_id": "ten",
    "label": "10 % off",
    "automatic": False,
    "action": {"kind": "percent_off", "percent": 10},
}


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    """A log that verification finds nothing wrong with in the end: every order priced again, for one."""
    written = MemoryLog()
    yield written
    found: list[str] = []
    verify(written, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []


async def rules(shop: Shop, **of_each: Any) -> None:
    """Defines them, in this order, by the routes' last part."""
    for path, bodies in of_each.items():
        for body in bodies:
            defined = await shop.post(f"/{path.replace('_', '-')}", body)
            assert defined.status_code in (200, 201), defined.text


async def opened(shop: Shop, market: str = "main", **items: int) -> str:
    """A cart of the market with these items."""
    cart_id: str = (await shop.post("/carts", {"currency": "GBP", "market": market})).json()["id"]
    for sku, quantity in items.items():
        added = await shop.post(f"/carts/{cart_id}/items", {"sku": sku, "quantity": quantity})
        assert added.status_code == 201, added.text
    return cart_id


def shown(shop: Shop, cart_id: str) -> Any:
    """The cart's document, as JSON."""
    view = MemoryView(cart_view.VIEW)
    view.apply(decoded(shop.log))
    return msgspec.json.decode(view.documents[cart_id])


def test_a_cart_shows_discount_tax_and_shipping_and_its_order_has_them(
    log: MemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(
                shop,
                markets=[MARKET],
                tax_areas=[VAT],
                shipping_methods=[POST],
                promotions=[TEN],
                coupons=[{"code": "TEN-OFF", "promotion_id": "ten"}],
            )
            cart_id = await opened(shop, "uk", MUG=3)
            entered = await shop.post(f"/carts/{cart_id}/coupons", {"code": "ten-off"})
            assert entered.status_code == 200, entered.text
            delivery = {"country": "GB", "postal_code": "N1 1AA", "method_id": "post"}
            sent = await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            assert sent.status_code == 200, sent.text
            cart = shown(shop, cart_id)
            assert cart["total"] == {"amount": 3095, "currency": "GBP"}
            assert [(one["kind"], one["amount"]["amount"]) for one in cart["charges"]] == [
                ("discount", -300),
                ("shipping", 395),
            ]
            assert [(one["group"], one["amount"]["amount"], one["inside"]) for one in cart["taxes"]] == [
                ("GB/standard", 516, True)
            ]
            (line,) = cart["lines"]
            assert (line["discount"]["amount"], line["net"]["amount"]) == (300, 2700)
            assert cart["coupons"] == [{"code": "TEN-OFF", "promotion_id": "ten"}]
            answer = await shop.checkout(cart_id)
            assert answer.status_code == 201, answer.text
            (placed,) = [one for one in shop.events() if isinstance(one, OrderPlaced)]
            assert placed.total.amount == 3095
            assert placed.total.amount == sum(one.amount.amount for one in placed.tenders)
            assert placed.lines[0].paid.amount + placed.shipping.paid == 3095
            assert placed.explanation.terms == 4
            assert placed.context.destination.country == "GB"
            assert "N1" not in str(placed.context)

    asyncio.run(scenario())


def test_the_states_in_memory_are_those_that_the_log_folds_to(log: MemoryLog, tmp_path: Path) -> None:
    """Handlers that decide twice on a stream fold it meanwhile, and the loop goes on from there."""

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await shop.product("TEA", units=9, pence=500)
            await rules(
                shop, markets=[MARKET], shipping_methods=[POST], promotions=[{**TEN, "automatic": True}]
            )
            first = await opened(shop, "uk", MUG=1, TEA=2)
            (await shop.client.delete(f"/api/v1/carts/{first}/items/TEA")).raise_for_status()
            second = await opened(shop, "uk", MUG=1)
            delivery = {"country": "GB", "postal_code": "N1 1AA", "method_id": "post"}
            (await shop.client.put(f"/api/v1/carts/{second}/delivery", json=delivery)).raise_for_status()
            assert (await shop.checkout(second)).status_code == 201
            for stream in (cart.stream(first), cart.stream(second), stock.stream("MUG"), MAIN_TERMS):
                held = shop.handling._cache.get(stream)
                recorded = list(log.read_stream(stream))
                assert held is not None
                assert held.version == len(recorded)
                assert held.state == kind_of(stream).fold(
                    kind_of(stream).initial(), map(CODEC.decode, recorded)
                )

    asyncio.run(scenario())


def test_a_plain_cart_has_no_event_beside_its_items(log: MemoryLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9)
            await rules(shop, promotions=[TEN])
            cart_id = await opened(shop, MUG=2)
            assert not [one for one in shop.events() if isinstance(one, CartPriced)]
            assert shown(shop, cart_id)["total"]["amount"] == 2598

    asyncio.run(scenario())


def test_a_discount_that_ended_meanwhile_is_a_refusal_that_shows_the_difference(
    log: MemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(shop, promotions=[TEN | {"automatic": True}])
            cart_id = await opened(shop, MUG=1)
            assert shown(shop, cart_id)["total"]["amount"] == 900
            await shop.post("/promotions/ten/end", {"reason": "over"})
            refused = await shop.checkout(cart_id)
            assert refused.status_code == 409
            problem = refused.json()
            assert problem["type"] == "/problems/total-changed"
            assert (problem["quoted"]["amount"], problem["total"]["amount"]) == (900, 1000)
            assert problem["differences"] == [
                {"kind": "discount", "label": "10 % off", "from": -100, "to": 0}
            ]
            agreed = CHECKOUT | {"total": {"amount": 1000, "currency": "GBP"}}
            placed = await shop.post(f"/carts/{cart_id}/checkout", agreed, **key())
            assert placed.status_code == 201, placed.text

    asyncio.run(scenario())


def test_a_single_use_is_claimed_by_one_order_and_free_again_when_that_is_given_up(
    log: MemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(
                shop,
                promotions=[TEN | {"uses_max": 1}],
                coupons=[{"code": "ONCE", "promotion_id": "ten", "uses_max": 1}],
            )
            first, second = await opened(shop, MUG=1), await opened(shop, MUG=1)
            for cart_id in (first, second):
                await shop.post(f"/carts/{cart_id}/coupons", {"code": "ONCE"})
            order_id = (await shop.checkout(first)).json()["id"]
            refused = await shop.checkout(second)
            assert refused.status_code == 409, refused.text
            canceled = await shop.post(f"/orders/{order_id}/cancel", {})
            assert canceled.status_code == 200, canceled.text
            placed = await shop.checkout(second)
            assert placed.status_code == 201, placed.text
            third = await opened(shop, MUG=1)
            used_up = await shop.post(f"/carts/{third}/coupons", {"code": "ONCE"})
            assert used_up.json()["type"] == "/problems/coupon-used-up"

    asyncio.run(scenario())


def test_a_gift_comes_goes_and_may_be_declined(log: MemoryLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=2100)
            await shop.product("CUP", units=1, pence=750)
            gift = {
                "promotion_id": "cup",
                "label": "A cup",
                "action": {"kind": "gift", "skus": ["CUP"]},
                "conditions": [{"kind": "amount_at_least", "amount": {"GBP": 4000}}],
            }
            await rules(shop, promotions=[gift])
            cart_id = await opened(shop, MUG=1)
            assert [line["sku"] for line in shown(shop, cart_id)["lines"]] == ["MUG"]
            await shop.client.put(f"/api/v1/carts/{cart_id}/items/MUG", json={"quantity": 2})
            cart = shown(shop, cart_id)
            assert [(line["sku"], line["net"]["amount"]) for line in cart["lines"]] == [
                ("MUG", 4200),
                ("CUP", 0),
            ]
            assert cart["total"]["amount"] == 4200
            await shop.client.delete(f"/api/v1/carts/{cart_id}/gifts/cup")
            assert [line["sku"] for line in shown(shop, cart_id)["lines"]] == ["MUG"]
            await shop.client.put(f"/api/v1/carts/{cart_id}/gifts/cup", json={"sku": "CUP"})
            assert len(shown(shop, cart_id)["lines"]) == 2
            placed = await shop.checkout(cart_id)
            assert placed.status_code == 201, placed.text
            (order,) = [one for one in shop.events() if isinstance(one, OrderPlaced)]
            assert [(line.sku, line.paid.amount) for line in order.lines] == [("MUG", 4200), ("CUP", 0)]

    asyncio.run(scenario())


TRADE = {"list_id": "trade", "currency": "GBP", "customer_groups": ["trade"], "priority": 50}


async def trade_mugs(shop: Shop, units: int) -> str:
    """A trader's cart of so many mugs, which cost them 8.00 from five on, and 10.00 as everybody."""
    await shop.product("MUG", units=99, pence=1000)
    await rules(shop, price_lists=[TRADE])
    tiers = [{"from": 5, "amount": 800, "currency": "GBP"}]
    priced = await shop.post("/products/MUG/price", {"list_id": "trade", "tiers": tiers})
    assert priced.status_code == 200, priced.text
    grouped = await shop.client.put("/api/v1/customers/trader/groups", json={"groups": ["trade"]})
    assert grouped.status_code in (200, 201), grouped.text
    cart_id: str = (await shop.post("/carts", {"currency": "GBP", "customer_id": "trader"})).json()["id"]
    added = await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": units})
    assert added.status_code == 201, added.text
    return cart_id


def test_a_cart_that_cannot_be_sent_is_refused_with_why_and_checks_out_once_it_can(
    log: MemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            parcel = POST | {"method_id": "parcel", "zones": [{"country": "IE"}]}
            heavy = POST | {"method_id": "heavy", "tiers": [{"at_least": 50_000, "price": {"GBP": 1}}]}
            of_others = parcel | {"method_id": "other", "markets": ["other"]}
            other = MARKET | {"market_id": "other", "countries": ["IE"]}
            await rules(shop, markets=[MARKET | {"countries": ["GB", "FR"]}, other])
            await rules(
                shop, shipping_methods=[POST | {"zones": [{"country": "GB"}]}, parcel, heavy, of_others]
            )
            cart_id = await opened(shop, "uk", MUG=1)

            async def refused(country: str, method_id: str | None) -> tuple[str, Any]:
                delivery = {"country": country} | ({} if method_id is None else {"method_id": method_id})
                chosen = await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
                assert chosen.status_code == 200, chosen.text
                answer = await check_out(country)
                assert answer.status_code == 409, answer.text
                return answer.json()["type"].removeprefix("/problems/"), answer.json().get("why")

            async def check_out(country: str) -> Any:
                address = CHECKOUT["shipping_address"] | {"country": country, "postal_code": "75001"}
                body = CHECKOUT | {
                    "shipping_address": CHECKOUT["shipping_address"] if country == "GB" else address
                }
                return await shop.post(f"/carts/{cart_id}/checkout", body, **key())

            assert await refused("GB", None) == ("shipping-method-required", None)
            assert await refused("GB", "parcel") == ("shipping-method-unfit", "destination")
            assert await refused("GB", "heavy") == ("shipping-method-unfit", "price")
            assert await refused("GB", "other") == ("shipping-method-unfit", "market")
            assert await refused("DE", "post") == ("not-deliverable", "market")
            retired = await shop.post("/shipping-methods/heavy/retire", {"reason": "too dear"})
            assert retired.status_code == 200, retired.text
            assert await refused("FR", "post") == ("not-deliverable", "destination")
            delivery = {"country": "GB", "method_id": "post"}
            await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            assert (await check_out("GB")).status_code == 201

    asyncio.run(scenario())


def test_a_quote_that_changes_nothing_leaves_all_amounts_as_they_are(log: MemoryLog, tmp_path: Path) -> None:
    """The offer ends before the prices' locks do, so that not even the end of the quote is another."""

    async def scenario() -> None:
        soon = datetime.now(UTC) + timedelta(minutes=30)
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(
                shop,
                markets=[MARKET],
                tax_areas=[VAT],
                shipping_methods=[POST],
                promotions=[TEN | {"automatic": True, "ends_at": soon.isoformat()}],
            )
            cart_id = await opened(shop, "uk", MUG=3)
            delivery = {"country": "GB", "method_id": "post"}
            await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            (before,) = shown(shop, cart_id)["lines"]
            assert (await shop.post(f"/carts/{cart_id}/quote")).status_code == 200
            assert shop.events()[-1] == shop.events("cart.prices_requoted")[-1]
            (after,) = shown(shop, cart_id)["lines"]
            assert (after["discount"]["amount"], after["net"]["amount"], after["tax"]["amount"]) == (
                300,
                2700,
                450,
            )
            assert after | {"locked_until": before["locked_until"]} == before

    asyncio.run(scenario())


def test_a_quote_holds_as_long_as_the_prices_of_what_is_bought_whenever_its_gift_came(
    log: MemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            for sku in ("MUG", "CUP"):
                await shop.product(sku, units=9, pence=1000)
            gift = {"promotion_id": "cup", "label": "A cup", "action": {"kind": "gift", "skus": ["CUP"]}}
            await rules(shop, promotions=[gift])
            cart_id = await opened(shop, MUG=1)
            assert (await shop.post(f"/carts/{cart_id}/quote")).status_code == 200
            cart = shown(shop, cart_id)
            (mug,) = (line for line in cart["lines"] if line["sku"] == "MUG")
            assert cart["quote"]["expires_at"] == mug["locked_until"]

    asyncio.run(scenario())


def test_fewer_units_than_a_held_price_is_for_are_priced_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            cart_id = await trade_mugs(shop, 6)
            assert shown(shop, cart_id)["total"]["amount"] == 4800
            for units, total in ((5, 4000), (4, 4000), (1, 1000), (6, 6000)):
                path = f"/api/v1/carts/{cart_id}/items/MUG"
                changed = await shop.client.put(path, json={"quantity": units})
                assert changed.status_code == 200, changed.text
                assert shown(shop, cart_id)["total"]["amount"] == total
            await shop.post(f"/carts/{cart_id}/quote")
            assert shown(shop, cart_id)["total"]["amount"] == 4800
            placed = await shop.checkout(cart_id)
            assert placed.status_code == 201, placed.text

    asyncio.run(scenario())


def test_two_gifts_of_one_product_are_given_as_far_as_it_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=9, pence=2100)
            await shop.product("CUP", units=1, pence=750)
            gifts = [
                {"promotion_id": name, "label": "A cup", "action": {"kind": "gift", "skus": ["CUP"]}}
                for name in ("first", "second")
            ]
            await rules(shop, promotions=gifts)
            placed = await shop.checkout(await opened(shop, MUG=1))
            assert placed.status_code == 201, placed.text
            (order,) = [one for one in shop.events() if isinstance(one, OrderPlaced)]
            assert [line.sku for line in order.lines] == ["MUG", "CUP"]
            assert order.total.amount == 2100

    asyncio.run(scenario())


def test_only_a_gift_can_be_declined(log: MemoryLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await rules(shop, promotions=[TEN])
            cart_id = await opened(shop)
            head = shop.log.head()
            for promotion_id in ("ten", "nothing"):
                refused = await shop.client.delete(f"/api/v1/carts/{cart_id}/gifts/{promotion_id}")
                assert (refused.status_code, refused.json()["type"]) == (409, "/problems/gift-unfit")
            assert shop.log.head() == head

    asyncio.run(scenario())


def test_shipping_that_is_free_already_has_nothing_to_offer(log: MemoryLog, tmp_path: Path) -> None:
    free = {"promotion_id": "free", "label": "Free", "action": {"kind": "shipping_percent", "percent": 100}}

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(shop, markets=[MARKET], shipping_methods=[POST])
            cart_id = await opened(shop, "uk", MUG=1)
            path = f"/api/v1/carts/{cart_id}/delivery"
            await shop.client.put(path, json={"country": "GB", "method_id": "post"})
            (notice,) = shown(shop, cart_id)["notices"]
            assert (notice["kind"], notice["amount"]["amount"]) == ("free_delivery", 4000)
            await rules(shop, promotions=[free])
            await shop.post(f"/carts/{cart_id}/quote")
            assert shown(shop, cart_id)["notices"] == []

    asyncio.run(scenario())
