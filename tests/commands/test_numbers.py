"""No two orders, and no two credit notes, bear the same number, whoever gives it and whenever."""

from __future__ import annotations

import asyncio
import re
from itertools import islice
from pathlib import Path

import pytest

from aggregates.orders.events import OrderNumbered
from commands.handlers import numbering
from commands.handlers.numbering import drawn_numbers, given_numbers
from event_store.records import EventLog
from tests.event_store.given import entry
from tests.shop.facts import CODEC
from tests.shop.http import key, open_shop


def test_a_number_is_drawn_from_the_id_alone_and_has_more_digits_than_those_of_before() -> None:
    first, second = islice(drawn_numbers("a" * 40), 2)
    assert [first, second] == list(islice(drawn_numbers("a" * 40), 2))
    assert first != second
    assert re.fullmatch(r"\d{3}-\d{4}-\d{4}", first)
    assert first != next(drawn_numbers("b" * 40))


def test_what_came_with_a_number_keeps_it_and_is_counted_where_another_bears_it() -> None:
    assert list(islice(given_numbers("536365"), 3)) == ["536365", "536365/2", "536365/3"]
    assert [numbering.given_number(number) for number in ("536365/2", "C5-2")] == ["536365", "C5-2"]


def test_orders_that_draw_the_same_number_draw_anew(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lottery of one digit: nine orders at once, in batches of two processes, and one number taken."""
    monkeypatch.setattr(numbering, "DIGITS", 1)

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as other:
            await one.product("MUG", units=50)
            taken = CODEC.encode("order_number-7", OrderNumbered(order_id="elsewhere"))
            log.append([entry({"order_number-7": 0}, events=[taken], verdict="accepted")])
            carts = [await one.cart(MUG=1) for _ in range(9)]
            answers = await asyncio.gather(
                *(
                    (one if at % 2 else other).checkout(cart_id, wait=False)
                    for at, cart_id in enumerate(carts)
                )
            )
            assert [answer.status_code for answer in answers] == [201] * 9
            digits = [order.number.replace("-", "") for order in one.events("orders.order_placed")]
            assert sorted(digits) == [*"012345689"]
            streams = {event.stream for event in log.read_all(after=0, limit=1_000)}
            assert {f"order_number-{digit}" for digit in "0123456789"} <= streams

    asyncio.run(scenario())


def test_credit_notes_of_one_order_are_numbered_apart(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path, capture="checkout") as shop:
            await shop.product("MUG", units=5)
            placed = await shop.checkout(await shop.cart(MUG=2))
            order_id = placed.json()["id"]
            penny = {"amount": {"amount": 1, "currency": "GBP"}}
            for _ in range(3):
                refunded = await shop.post(f"/orders/{order_id}/refunds", penny, **key())
                assert refunded.status_code == 201, refunded.text
            (order,) = shop.events("orders.order_placed")
            numbers = [note.number for note in shop.events("orders.credit_note_issued")]
            assert numbers == [f"C{order.number}-{nth}" for nth in (1, 2, 3)]
            assert len(shop.events("orders.credit_note_numbered")) == 3

    asyncio.run(scenario())
