"""A credit note: what the merchant owes back, for an order or standing alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from aggregates.kernel import Money, OrderId, StreamKind
from aggregates.orders.events import Charge, CreditedTax, CreditNoteEvent, CreditNoteIssued, CreditNoteLine


@dataclass(slots=True)
class CreditNote:
    """`issued` is None until it is."""

    issued: CreditNoteIssued | None = None


def initial() -> CreditNote:
    """A credit note nobody has issued."""
    return CreditNote()


def evolve(note: CreditNote, event: CreditNoteEvent) -> CreditNote:
    """The credit note after the event; changes it in place."""
    note.issued = event
    return note


stream = StreamKind("credit_note", initial, evolve)


def issue(
    note: CreditNote,
    *,
    credit_note_id: str,
    number: str,
    currency: str,
    lines: Sequence[CreditNoteLine],
    charges: Sequence[Charge] = (),
    issued_on: date,
    reason: str | None = None,
    order_id: OrderId | None = None,
    customer_id: str | None = None,
    taxes: Sequence[CreditedTax] = (),
) -> tuple[CreditNoteEvent, ...]:
    """Issues it, once; its amount is the sum of its lines and charges."""
    if note.issued is not None:
        return ()
    return (
        CreditNoteIssued(
            credit_note_id=credit_note_id,
            number=number,
            currency=currency,
            amount=Money.sum(
                (*(line.amount for line in lines), *(charge.amount for charge in charges)), currency
            ),
            lines=tuple(lines),
            charges=tuple(charges),
            taxes=tuple(taxes),
            reason=reason,
            issued_on=issued_on,
            order_id=order_id,
            customer_id=customer_id,
        ),
    )
