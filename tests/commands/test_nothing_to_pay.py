"""What is paid is the placed order's total; an order that costs nothing is asked of no gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from replays.verification.verify import verify
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop

UNPAID = {name: value for name, value in CHECKOUT.items() if name != "payment"}


async def checkout_unpaid(shop: Shop, cart_id: str) -> httpx.Response:
    return await shop.client.post(f"/api/v1/carts/{cart_id}/checkout", json=UNPAID, headers=key())


@asynccontextmanager
async def given_away(log: EventLog, folder: Path, **settings: object) -> AsyncIterator[tuple[Shop, str]]:
    """A shop with five free samples, two of them ordered; and at the end sound books and a silent gateway."""
    async with open_shop(log, folder, **settings) as shop:
        await shop.product("GIFT", units=5, pence=0)
        answer = await checkout_unpaid(shop, await shop.cart(GIFT=2))
        assert answer.status_code == 201, answer.text
        yield shop, answer.json()["id"]
        assert shop.gateway.charges() == []
        assert shop.events("payments.step_begun", "payments.payment_captured") == []
    findings: list[object] = []
    verify(log, CODEC, report=findings.append)
    assert findings == []


def test_an_order_that_costs_nothing_is_confirmed_with_its_stock_at_once(
    log: EventLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with given_away(log, tmp_path) as (shop, order_id):
            assert [one.type for one in log.read_stream(f"payment-{order_id}")] == [
                "payments.payment_not_needed"
            ]
            assert [one.type for one in log.read_stream(f"order-{order_id}")] == [
                "orders.order_placed",
                "orders.order_confirmed",
            ]
            assert len(shop.events("inventory.reservation_confirmed")) == 1

    asyncio.run(scenario())


def test_it_is_sent_and_taken_back_and_there_is_nothing_to_refund(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with given_away(log, tmp_path, capture="checkout") as (shop, order_id):
            refunded = await shop.post(f"/orders/{order_id}/refunds", {"all": True}, **key())
            assert (refunded.status_code, refunded.json()["type"]) == (409, "/problems/nothing-to-refund")
            for path in ("fulfilments", "returns"):
                answer = await shop.post(f"/orders/{order_id}/{path}", {"all": True})
                assert answer.status_code == 201, answer.text

    asyncio.run(scenario())


def test_canceling_it_puts_its_units_back_on_sale(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with given_away(log, tmp_path) as (shop, order_id):
            assert (await shop.post(f"/orders/{order_id}/cancel", {})).status_code == 200
            (released,) = shop.events("inventory.reservation_released")
            assert released.quantity == 2

    asyncio.run(scenario())


def test_a_payment_given_for_nothing_is_not_asked(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with given_away(log, tmp_path) as (shop, _):
            declined = await shop.checkout(await shop.cart(GIFT=1), method="pm_card_chargeDeclined")
            assert declined.status_code == 201
            assert len(shop.events("orders.order_confirmed")) == 2

    asyncio.run(scenario())


def test_what_costs_something_needs_a_payment(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=5, pence=1)
            cart_id = await shop.cart(MUG=1)
            head = log.head()
            answer = await checkout_unpaid(shop, cart_id)
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (422, "/problems/payment-method-needed")
            assert [error["field"] for error in problem["errors"]] == ["body.payment"]
            assert log.head() == head
            assert (await shop.checkout(cart_id)).status_code == 201
            (requested,) = shop.events("payments.payment_requested")
            (placed,) = shop.events("orders.order_placed")
            assert requested.amount == placed.total

    asyncio.run(scenario())
