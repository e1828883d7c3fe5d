"""Orders whose payments end on the operator's list, each by what the gateway does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.gateways.sandbox.gateway import SandboxGateway
from commands.handlers.payments import RecordGatewayNews
from commands.loop.decision import Actor, Context
from commands.operator.owed import read_owed_order
from commands.processes.gateway_news import catch_up
from tests.shop.http import Shop, key

TOTAL = 1299


async def sold(shop: Shop, method: str = "pm_card_visa", *, sent: bool = True) -> str:
    """An order of one mug of 12.99 GBP, paid for by `method`."""
    placed = await shop.checkout(await shop.cart(MUG=1), method=method)
    assert placed.status_code == 201, placed.text
    order_id: str = placed.json()["id"]
    if sent:
        sending = await shop.post(f"/orders/{order_id}/fulfilments", {"all": True})
        assert sending.status_code == 201, sending.text
    return order_id


async def unpaid_though_sent(shop: Shop) -> str:
    """The goods are gone, the capture was refused, and the hold has lapsed: the shop is owed 12.99."""
    order_id = await sold(shop, "pm_card_captureRefused")
    shop.gateway.books.hold_lapses(reference(shop.gateway, order_id))
    await take_news(shop)
    return await on_list(shop, order_id)


async def unreturned(shop: Shop, pence: int = 500) -> str:
    """A refund that failed in the end: the customer is owed it."""
    order_id = await sold(shop, "pm_card_pendingRefund")
    await refund(shop, order_id, pence)
    (made,) = shop.gateway.books.objects(reference(shop.gateway, order_id), "refund")
    shop.gateway.books.refund_fails(made["id"])
    await take_news(shop)
    return await on_list(shop, order_id)


async def disputed(shop: Shop) -> str:
    """The card holder disputes the charge."""
    order_id = await sold(shop)
    shop.gateway.books.dispute(reference(shop.gateway, order_id), TOTAL, inquiry=True)
    await take_news(shop)
    return await on_list(shop, order_id)


async def on_list(shop: Shop, order_id: str) -> str:
    """The order, once it is listed: while the gateway is asked for the last of it, it is not."""
    async with asyncio.timeout(20):
        while await asyncio.to_thread(read_owed_order, shop.log, order_id) is None:
            await asyncio.sleep(0.02)
    return order_id


async def refund(shop: Shop, order_id: str, pence: int) -> None:
    """Asks for some money to be given back."""
    amount = {"amount": {"amount": pence, "currency": "GBP"}}
    answer = await shop.post(f"/orders/{order_id}/refunds", amount, **key())
    assert answer.status_code == 201, answer.text


async def take_news(shop: Shop) -> None:
    """All that the gateway has to tell."""

    async def submit(command: RecordGatewayNews) -> Any:
        return await shop.handling.handle(command, Context(actor=Actor("gateway", "test"), channel="gateway"))

    now = datetime.now(UTC)
    await catch_up(shop.gateway, submit, since=now - timedelta(hours=1), now=now)


def reference(gateway: SandboxGateway, order_id: str) -> str:
    """The gateway's name for the order's only payment."""
    (charge,) = gateway.charges(order_id)
    return charge.reference
