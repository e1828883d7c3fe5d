"""Booking on an order what went back: its credit note, its lines, its units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import count
from typing import Any

from aggregates.credit import account
from aggregates.kernel import OrderId
from aggregates.orders import credit_note, order, refund, refund_booking
from aggregates.orders.events import OrderRefunded
from aggregates.orders.order import Order, Refund
from commands.handlers.cancellation import cancel, release_unsendable
from commands.handlers.credit import debit
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
    booked = refund_booking.book_refund(
        sold, order_id=order_id, credit_note_id=credit_note_id, refund=planned, reason=reason
    )
    numbers = (f"C{placed.number}-{nth}" for nth in count(len(sold.refunds) + 1))
    charges = credit_note.credited_charges(sold, planned, label="refund")
    lines = order.with_refunds(sold, [planned]).values()
    refunded = [event for event in booked if isinstance(event, OrderRefunded)]
    credited = [line for event in refunded for line in credit_note.credited_lines(sold, event.lines)]
    taxes = [tax for event in refunded for tax in credit_note.credited_taxes(sold, event)]
    decision.add(order_stream, booked)  # `sold` may go on with it.
    if refunded:
        _give_credit_back(cache, decision, planned, order_id, credit_note_id)
        debit(cache, decision, sold, planned, order_id=order_id, credit_note_id=credit_note_id)
    decision.add(
        note_stream,
        credit_note.issue(
            decision.after(note_stream, states[note_stream]),
            credit_note_id=credit_note_id,
            number=number_credit_note(cache, decision, credit_note_id, numbers),
            currency=placed.currency,
            lines=credited,
            charges=charges,
            taxes=taxes,
            issued_on=issued_on,
            order_id=order_id,
            customer_id=placed.customer_id,
        ),
    )
    release_unsendable(cache, decision, order_id, lines)


def _give_credit_back(
    cache: StateCache, decision: Decision, planned: Refund, order_id: OrderId, credit_note_id: str
) -> None:
    """Credits the accounts that the refund goes back to."""
    streams = {one: account.stream(one.account_id) for one in planned.credit if one.account_id is not None}
    states = cache.states(streams.values())
    for one, stream in streams.items():
        decision.add(
            stream,
            account.credit(
                decision.after(stream, states[stream]),
                amount=one.amount,
                cause="refunded",
                order_id=order_id,
                credit_note_id=credit_note_id,
            ),
        )
