"""Booking on an order what went back: its credit note, its lines, its units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import count
from typing import Any

from aggregates.kernel import OrderId
from aggregates.orders import credit_note, order, refund
from aggregates.orders.order import Order, Refund
from commands.handlers.cancellation import cancel, release_unsendable
from commands.handlers.numbering import number_credit_note
from commands.loop.decision import Decision
from commands.loop.state_cache import StateCache


def note_for(sold: Order, planned: Refund, credit_note_id: str) -> str | None:
    """The credit note to book the refund under; None where it leaves nothing of the order.

    Such an order is canceled, and a sale that is undone needs no credit note.
    """
    return None if refund.leaves_nothing(sold, planned) else credit_note_id


def book(
    cache: StateCache,
    decision: Decision,
    *,
    order_id: OrderId,
    credit_note_id: str | None,
    planned: Refund,
    issued_on: date,
    reason: str | None = None,
) -> None:
    """Adds to `decision` what the refund does to the order: units it withdrew go on sale again.

    Under no credit note (see `note_for`) it cancels the order.
    """
    if credit_note_id is None:
        cancel(cache, decision, order_id=order_id, cause="refunded", reason=reason)
        return
    order_stream, note_stream = order.stream(order_id), credit_note.stream(credit_note_id)
    states: Mapping[str, Any] = cache.states((order_stream, note_stream))
    sold: Order = decision.after(order_stream, states[order_stream])
    placed = order.placed_order(sold, order_id)
    booked = refund.book_refund(
        sold, order_id=order_id, credit_note_id=credit_note_id, refund=planned, reason=reason
    )
    numbers = (f"C{placed.number}-{nth}" for nth in count(len(sold.refunds) + 1))
    credited = refund.credited_lines(sold, planned)
    charges = refund.credited_charges(sold, planned, label="refund")
    lines = order.with_refunds(sold, [planned]).values()
    decision.add(order_stream, booked)  # `sold` may go on with it.
    decision.add(
        note_stream,
        credit_note.issue(
            decision.after(note_stream, states[note_stream]),
            credit_note_id=credit_note_id,
            number=number_credit_note(cache, decision, credit_note_id, numbers),
            currency=placed.currency,
            lines=credited,
            charges=charges,
            issued_on=issued_on,
            order_id=order_id,
            customer_id=placed.customer_id,
        ),
    )
    release_unsendable(cache, decision, order_id, lines)
