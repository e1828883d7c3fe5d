"""What was sold elsewhere keeps the rules of what is sold here: numbers, nothing to pay, money back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import Charge, OrderPlaced
from aggregates.orders.order import Purchase
from aggregates.payments.events import PaymentCaptured, PaymentNotNeeded, PaymentRefunded
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.registry import HANDLERS
from commands.importing.online_retail.handlers import IMPORT_HANDLERS
from commands.importing.online_retail.recording import RecordSale
from commands.loop.decision import Actor, Context
from commands.loop.handling import Handling
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.shop.facts import CODEC, NOON
from tests.shop.log import events_of


def handle(log: MemoryLog, *commands: Any) -> None:
    async def all_of_them() -> None:
        async with Handling(log, CODEC, {**HANDLERS, **IMPORT_HANDLERS}) as handling:
            for command in commands:
                await handling.handle(command, Context(actor=Actor("operator"), channel="import"))

    asyncio.run(all_of_them())
    findings: list[object] = []
    verify(log, CODEC, report=findings.append)
    assert findings == []


def sale(order_id: str, number: str = "536365", *, price: str = "2.50", charges: Any = ()) -> RecordSale:
    whistle = Purchase(
        line_id="1",
        sku="70001",
        title="TIN WHISTLE",
        seller="main",
        quantity=2,
        unit_price=UnitPrice(Decimal(price), "GBP"),
    )
    return RecordSale(
        order_id=order_id,
        number=number,
        customer_id=None,
        currency="GBP",
        lines=() if charges else (whistle,),
        charges=charges,
        placed_at=datetime(2010, 12, 1, tzinfo=UTC),
        fulfilment_id=f"f-{order_id}",
        top_up_source=f"top-{order_id}",
    )


def test_two_sources_that_gave_the_same_number_bear_it_apart() -> None:
    log = MemoryLog()
    handle(log, sale("a" * 32), sale("b" * 32), sale("a" * 32), sale("c" * 32, "S-10001"))
    assert [placed.number for placed in events_of(log, OrderPlaced)] == ["536365", "536365/2", "S-10001"]


def test_what_cost_nothing_elsewhere_was_not_paid() -> None:
    log = MemoryLog()
    handle(log, sale("a" * 32, price="0"))
    assert (len(events_of(log, PaymentNotNeeded)), events_of(log, PaymentCaptured)) == (1, [])


def test_what_was_paid_elsewhere_and_is_canceled_unsent_goes_back() -> None:
    log = MemoryLog()
    postage = Charge(kind="shipping", label="Postage", amount=Money(450, "GBP"))
    handle(log, sale("a" * 32, charges=(postage,)), CancelOrder(order_id="a" * 32, canceled_on=NOON.date()))
    (paid_back,) = events_of(log, PaymentRefunded)
    assert (paid_back.amount, paid_back.credit_note_id) == (Money(450, "GBP"), None)
