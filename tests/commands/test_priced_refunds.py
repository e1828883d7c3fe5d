"""Refunds and what they credit, of orders under rules of sale, over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aggregates.orders.events import CreditNoteIssued, OrderRefunded
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.commands.test_priced_carts import MARKET, POST, TEN, VAT, opened, rules
from tests.shop.facts import CODEC
from tests.shop.http import Shop, key, open_shop


async def refunded(shop: Shop, order_id: str, **body: Any) -> int:
    """Refunds and waits; the amount booked."""
    answer = await shop.post(f"/orders/{order_id}/refunds", body, **key(), Prefer="wait=10")
    assert answer.status_code in (200, 201), answer.text
    last: OrderRefunded = shop.events("orders.order_refunded")[-1]
    assert last.credit_note_id == answer.json()["id"]
    return last.amount.amount


async def bought(shop: Shop, cart_id: str) -> str:
    """The order of the cart, paid and sent."""
    placed = await shop.checkout(cart_id)
    assert placed.status_code == 201, placed.text
    order_id: str = placed.json()["id"]
    sent = await shop.post(f"/orders/{order_id}/fulfilments", {})
    assert sent.status_code == 201, sent.text
    return order_id


def part(*lines: str, units: int = 1) -> dict[str, Any]:
    """So many units of these lines."""
    return {"lines": [{"line_id": line, "quantity": units} for line in lines]}


def pence(amount: int) -> dict[str, Any]:
    """An amount alone."""
    return {"amount": {"amount": amount, "currency": "GBP"}}


def test_units_give_back_what_was_paid_for_them_and_not_their_price(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path, capture="checkout") as shop:
            await shop.product("MUG", units=9, pence=999)
            free = {"kind": "buy_get", "buy": {}, "buy_quantity": 2, "get": {}, "get_quantity": 1}
            await rules(
                shop,
                promotions=[{"promotion_id": "three", "label": "3 for 2", "action": free | {"percent": 100}}],
            )
            order_id = await bought(shop, await opened(shop, MUG=5))
            amounts = [await refunded(shop, order_id, **part("1")) for _ in range(5)]
            assert amounts == [799, 799, 800, 799, 799]
        verify(log, CODEC, report=lambda finding: pytest.fail(str(finding)))

    asyncio.run(scenario())


def test_money_first_leaves_less_for_the_units(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path, capture="checkout") as shop:
            await shop.client.put("/api/v1/home", json={"country": "GB", "tax_included": False})
            await shop.product("MUG", units=9, pence=3333)
            await shop.product("PIN", units=9, pence=1)
            ten = {"kind": "amount_off", "amount": {"GBP": 1000}}
            await rules(
                shop,
                markets=[MARKET | {"tax_pricing": "exclusive"}],
                tax_areas=[VAT],
                promotions=[{"promotion_id": "ten", "label": "10.00 off", "action": ten}],
            )
            amounts = {}
            for first in (0, 500):
                cart_id = await opened(shop, "uk", MUG=3, PIN=1)
                await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json={"country": "GB"})
                order_id = await bought(shop, cart_id)
                if first:
                    assert await refunded(shop, order_id, **pence(first)) == first
                    (line,) = shop.events("orders.order_refunded")[-1].lines
                    assert (line.line_id, line.quantity, line.amount.amount) == ("1", 0, 500)
                amounts[first] = [await refunded(shop, order_id, **part("1")) for _ in range(3)]
            assert amounts == {0: [3600, 3599, 3600], 500: [3600, 3599, 3100]}
        verify(log, CODEC, report=lambda finding: pytest.fail(str(finding)))

    asyncio.run(scenario())


def test_shipping_goes_back_by_its_name_and_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path, capture="checkout") as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(
                shop,
                markets=[MARKET],
                tax_areas=[VAT],
                shipping_methods=[POST],
                promotions=[TEN | {"automatic": True}],
            )
            cart_id = await opened(shop, "uk", MUG=3)
            delivery = {"country": "GB", "method_id": "post"}
            sent = await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            assert sent.status_code == 200, sent.text
            order_id = await bought(shop, cart_id)
            assert await refunded(shop, order_id, **part("1")) == 900
            over = await shop.post(f"/orders/{order_id}/refunds", pence(2196), **key())
            assert over.json()["type"] == "/problems/refund-too-large"
            assert await refunded(shop, order_id, charges=["shipping"], **pence(200)) == 200
            assert await refunded(shop, order_id, charges=["shipping"]) == 195
            (charge,) = shop.events("orders.credit_note_issued")[-1].charges
            assert (charge.kind, charge.label, charge.amount.amount) == ("shipping", "Royal Mail", 195)
            both = await shop.post(
                f"/orders/{order_id}/refunds", {"all": True, "charges": ["shipping"]}, **key()
            )
            assert both.status_code == 422, both.text
            assert await refunded(shop, order_id, all=True) == 1800
            last: CreditNoteIssued = shop.events("orders.credit_note_issued")[-1]
            assert [(line.quantity, line.amount.amount) for line in last.lines] == [(2, 1800)]
            assert last.charges == ()
            again = await shop.post(f"/orders/{order_id}/refunds", {"all": True}, **key())
            assert again.json()["type"] == "/problems/nothing-to-refund"
        verify(log, CODEC, report=lambda finding: pytest.fail(str(finding)))

    asyncio.run(scenario())
