"""Carts whose shipping a carrier prices, and carriers' answers that do not count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from aggregates.cart.events import CartPriced
from aggregates.orders.events import OrderPlaced
from commands.providers.choose import Providers
from commands.providers.shipping import HttpShippingProvider
from commands.providers.tax import HttpTaxProvider
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.providers.stand_in import Reply, StandIn, stand_in
from tests.providers.test_tax import answer_8_5
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop

SWIFT = {"method_id": "express", "label": "Express", "provider": "swift"}
EXCLUSIVE = {
    "promotion_id": "alone",
    "label": "3.00 off, alone",
    "exclusive": True,
    "action": {"kind": "amount_off", "amount": {"GBP": 300}},
}
TEN = {"promotion_id": "ten", "label": "10 %", "action": {"kind": "percent_off", "percent": 10}}


def price(request: dict[str, Any]) -> Reply:
    return {"reference": "s-1", "amount": 595, "currency": request["currency"]}


def in_a_shop(
    tmp_path: Path,
    scenario: Callable[[Shop, str], Awaitable[None]],
    carrier: StandIn,
    *rules: tuple[str, dict[str, Any]],
    tax: StandIn | None = None,
) -> None:
    async def run() -> None:
        log = MemoryLog()
        calls = [carrier.calls("shipping"), *([tax.calls("tax")] if tax else [])]
        providers = Providers(
            tax=HttpTaxProvider(calls[1]) if tax else None,
            shipping=HttpShippingProvider(calls[0]),
            calls=tuple(calls),
        )
        async with aclosing(providers), open_shop(log, tmp_path, providers=providers) as shop:
            for path, rule in (("shipping-methods", SWIFT), *rules):
                defined = await shop.post(f"/{path}", rule)
                assert defined.is_success, defined.text
            await shop.product("MUG", units=10, pence=2000)
            await scenario(shop, await shop.cart(MUG=1))
        found: list[str] = []
        verify(log, CODEC, report=lambda finding: found.append(str(finding)))
        assert found == []

    asyncio.run(run())


async def deliver(shop: Shop, cart_id: str) -> Any:
    body = {"country": "GB", "postal_code": "N1 1AA", "method_id": "express"}
    return await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=body)


def total(shop: Shop) -> int:
    return [event for event in shop.events() if isinstance(event, CartPriced)][-1].total


def test_the_order_costs_what_the_carrier_says(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        assert (await deliver(shop, cart_id)).status_code == 200
        assert total(shop) == 2595
        ordered = await shop.post(f"/carts/{cart_id}/checkout", CHECKOUT, **key())
        assert ordered.status_code == 201, ordered.text
        (asked,) = carrier.requests
        assert asked["parcel"] == {"weight_grams": 0, "amount": 2000, "quantity": 1}
        assert asked["destination"] == {"country": "GB", "region": None, "postal_code": "N11"}
        (order,) = [event for event in shop.events() if isinstance(event, OrderPlaced)]
        assert order.total.amount == 2595

    with stand_in(price) as carrier:
        in_a_shop(tmp_path, scenario, carrier)


def test_the_tax_is_asked_for_once_the_carrier_has_named_its_price(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        assert (await deliver(shop, cart_id)).status_code == 200
        (asked,) = taxer.requests
        assert [one["target"] for one in asked["targets"]] == ["1", "shipping"]
        assert asked["targets"][1]["amount"] == 595

    area = {"area_id": "GB", "country": "GB", "provider": "taxer"}
    with stand_in(price) as carrier, stand_in(answer_8_5) as taxer:
        in_a_shop(tmp_path, scenario, carrier, ("tax-areas", area), tax=taxer)


def test_one_price_holds_whichever_promotions_apply(tmp_path: Path) -> None:
    """An exclusive promotion and the others are compared with the same postage: none wins for lack of it."""

    async def scenario(shop: Shop, cart_id: str) -> None:
        assert (await deliver(shop, cart_id)).status_code == 200
        assert len(carrier.requests) == 1
        assert total(shop) == 2000 - 300 + 595

    with stand_in(price) as carrier:
        in_a_shop(tmp_path, scenario, carrier, ("promotions", EXCLUSIVE), ("promotions", TEN))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (500, "status_500"),
        ({"reference": "s", "amount": -1, "currency": "GBP"}, "invalid_response"),
        ({"reference": "s", "amount": 1, "currency": "EUR"}, "invalid_response"),
        ({"reference": "s", "amount": "1", "currency": "GBP"}, "invalid_response"),
        ({"reference": "s", "currency": "GBP"}, "invalid_response"),
    ],
)
def test_a_useless_price_is_503_and_the_cart_loses_nothing(tmp_path: Path, reply: Reply, why: str) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        refused = await deliver(shop, cart_id)
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (503, "/problems/shipping-unavailable"), problem
        assert (problem["provider"], problem["why"]) == ("swift", why)
        assert not shop.events("cart.shipping_quoted")
        carrier.answer = price
        assert (await deliver(shop, cart_id)).status_code == 200
        assert total(shop) == 2595

    with stand_in(lambda _: reply) as carrier:
        in_a_shop(tmp_path, scenario, carrier)
