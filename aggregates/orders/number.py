"""A number that one order bears (`order_number-<digits>`) or one credit note (`credit_note_number-…`).

Its stream begins with its bearer, so that the log itself keeps two from bearing the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import OrderId, StreamKind
from aggregates.orders.events import CreditNoteNumbered, NumberEvent, OrderNumbered


@dataclass(slots=True)
class Number:
    """`bearer` is an order's id or a credit note's; None while the number is free."""

    bearer: str | None = None


def initial() -> Number:
    """A number nobody bears."""
    return Number()


def evolve(number: Number, event: NumberEvent) -> Number:
    """The number after the event; changes it in place."""
    match event:
        case OrderNumbered(order_id=bearer) | CreditNoteNumbered(credit_note_id=bearer):
            number.bearer = bearer
    return number


order_stream = StreamKind("order_number", initial, evolve)
credit_note_stream = StreamKind("credit_note_number", initial, evolve)


def number_order(number: Number, *, order_id: OrderId) -> tuple[NumberEvent, ...] | None:
    """Gives the number to the order; None where another bears it."""
    if number.bearer is None:
        return (OrderNumbered(order_id=order_id),)
    return () if number.bearer == order_id else None


def number_credit_note(number: Number, *, credit_note_id: str) -> tuple[NumberEvent, ...] | None:
    """Gives the number to the credit note; None where another bears it."""
    if number.bearer is None:
        return (CreditNoteNumbered(credit_note_id=credit_note_id),)
    return () if number.bearer == credit_note_id else None
