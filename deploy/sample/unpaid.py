"""Orders of the sample shop that nobody paid for: placed, waited for, and canceled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.kernel import OrderId
from aggregates.orders import cancellation, order
from aggregates.orders.events import Charge, OrderPlaced
from aggregates.orders.order import Purchase
from aggregates.payments import payment
from commands.handlers.numbering import given_numbers, number_order
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache

METHOD = "bank_transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUnpaidOrder:
    """Write down an order that waits for a bank transfer; nothing is reserved for it."""

    name: ClassVar = "record_unpaid_order"
    order_id: OrderId
    number: str
    customer_id: str | None
    currency: str
    lines: Sequence[Purchase]
    charges: Sequence[Charge]
    placed_at: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLapse:
    """Write down that the transfer never came, and that the order was given up."""

    name: ClassVar = "record_lapse"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    reason: str


def handle_record_unpaid_order(cache: StateCache, command: RecordUnpaidOrder) -> Decision:
    """The order and the request for its payment, together."""
    order_id = command.order_id
    order_stream, payment_stream = order.stream(order_id), payment.stream(order_id)
    states = cache.states((order_stream, payment_stream))
    decision = Decision(id=order_id, stream=order_stream)
    if states[order_stream].placed is not None:
        return decision
    placed = order.place(
        states[order_stream],
        order_id=order_id,
        number=number_order(cache, decision, order_id, given_numbers(command.number)),
        channel="import",
        currency=command.currency,
        lines=command.lines,
        charges=command.charges,
        placed_at=command.placed_at,
        customer_id=command.customer_id,
    )
    decision.created = True
    decision.add(order_stream, placed)
    for event in placed:
        assert isinstance(event, OrderPlaced)
        decision.add(
            payment_stream,
            payment.request(
                states[payment_stream],
                order_id=order_id,
                method=METHOD,
                amount=event.card,
                credit=event.credit,
                capture="fulfilment",
            ),
        )
    return decision


def handle_record_lapse(cache: StateCache, command: RecordLapse) -> Decision:
    """The order canceled, its payment declined."""
    order_id = command.order_id
    order_stream, payment_stream = order.stream(order_id), payment.stream(order_id)
    states = cache.states((order_stream, payment_stream))
    decision = Decision(id=order_id, stream=order_stream)
    canceled = cancellation.cancel(
        states[order_stream], order_id=order_id, cause="declined", reason=command.reason
    )
    decision.add(order_stream, canceled)
    decision.add(payment_stream, payment.decline(states[payment_stream], order_id=order_id, code="not_paid"))
    decision.created = bool(canceled)
    return decision


SAMPLE_HANDLERS: Handlers = {
    RecordUnpaidOrder: handle_record_unpaid_order,
    RecordLapse: handle_record_lapse,
}
