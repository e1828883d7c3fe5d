"""What somebody wrote about an order is personal: sealed on disk, in no document and no feed, and forgotten
with the order's key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from event_store.records import EventLog
from projections.views.orders import VIEW
from tests.shop.facts import CODEC
from tests.shop.http import Shop, key, open_shop

SAID = "Mia Ann rang from 020 7946 0018"
ONE = {"lines": [{"line_id": "1", "quantity": 1}]}


async def told_everywhere(shop: Shop) -> list[str]:
    """Two orders of which everything that can be told a reason was; their ids."""
    await shop.product("MUG", units=9)
    orders = []
    for steps in (("fulfilments", "returns", "refunds"), ("cancel",)):
        placed = await shop.checkout(await shop.cart(MUG=2))
        order_id = placed.json()["id"]
        orders.append(order_id)
        for step in steps:
            body = {"reason": SAID} | ({} if step == "cancel" else ONE)
            answer = await shop.post(f"/orders/{order_id}/{step}", body, **key())
            assert answer.status_code in (200, 201), answer.text
    return orders


def test_a_reason_is_sealed_for_the_order_and_read_by_who_holds_its_key(
    log: EventLog, tmp_path: Path
) -> None:
    async def scenario() -> list[str]:
        async with open_shop(log, tmp_path) as shop:
            return await told_everywhere(shop)

    orders = asyncio.run(scenario())
    events = log.read_all(after=0, limit=1_000)
    assert not [event.type for event in events if b"Mia Ann" in event.data]
    for event in events:
        row = log.journal_row(event.command_id)
        assert row is None or b"Mia Ann" not in row.arguments + row.answer
        assert "Mia Ann" not in str(CODEC.decode_public_json(event))
    keys = log.subject_keys([f"order-{order_id}" for order_id in orders])
    assert len(keys) == 2
    opened = {event.type for event in events if SAID in str(CODEC.decode(event, keys))}
    assert opened == {"orders.lines_returned", "payments.step_begun", "orders.order_canceled"}


def test_no_document_shows_a_reason(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await told_everywhere(shop)

    asyncio.run(scenario())
    documents: dict[str, Any] = {}
    for recorded in log.read_all(after=0, limit=1_000):
        event = CODEC.decode(recorded)
        for order_id, fact in VIEW.facts(event, recorded) if type(event) in VIEW.events else ():
            documents[order_id] = VIEW.evolve(order_id, documents.get(order_id), fact, recorded)
    sent, canceled = (msgspec.to_builtins(document) for document in documents.values())
    assert [part["reason"] for part in (*sent["returns"], *sent["refunds"])] == [None, None]
    assert canceled["cancel_reason"] == "canceled"


def test_an_order_of_which_nothing_is_said_needs_no_key_for_it(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=9)
            order_id = (await shop.checkout(await shop.cart(MUG=2))).json()["id"]
            assert (await shop.post(f"/orders/{order_id}/cancel", {})).status_code == 200
            (canceled,) = shop.events("orders.order_canceled")
            assert (canceled.cause, canceled.reason) == ("canceled", None)

    asyncio.run(scenario())
