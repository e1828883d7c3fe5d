"""A credit note: what the merchant owes back, for an order or standing alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from aggregates.kernel import Money, OrderId, StreamKind
from aggregates.orders.events import (
    Charge,
    CreditedTax,
    CreditNoteEvent,
    CreditNoteIssued,
    CreditNoteLine,
    OrderRefunded,
    RefundedLine,
)
from aggregates.orders.order import Order, Refund, paid_beside_lines, shared_shipping_net
from aggregates.orders.refundable import beside_lines, refunded_beside_lines


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


def credited_lines(order: Order, lines: Sequence[RefundedLine]) -> tuple[CreditNoteLine, ...]:
    """A refund's lines as its credit note shows them."""
    return tuple(
        CreditNoteLine(
            sku=order.lines[line.line_id].ordered.sku,
            title=order.lines[line.line_id].ordered.title,
            quantity=line.quantity,
            amount=line.amount,
            tax=line.tax,
        )
        for line in lines
    )


def credited_taxes(order: Order, refunded: OrderRefunded) -> tuple[CreditedTax, ...]:
    """The tax in a refund by the order's tax groups; what bears no tax of a group is in none."""
    assert order.placed is not None
    placed, currency = order.placed, refunded.amount.currency
    base: dict[str, int] = {}
    tax: dict[str, int] = {}

    def count(group: str, amount: int, part: int) -> None:
        base[group] = base.get(group, 0) + amount - part
        tax[group] = tax.get(group, 0) + part

    for line in refunded.lines:
        group = order.lines[line.line_id].ordered.tax_group
        if group is not None and line.tax is not None:
            count(group, line.amount.amount, line.tax.amount)
    for charge in refunded.charges or ():
        for group, net in shared_shipping_net(order, charge).items():
            part = charge.tax_groups.get(group, 0)
            count(group, net + part, part)
    return tuple(
        CreditedTax(
            group=one.group,
            label=one.label,
            rate=one.rate,
            base=Money(base[one.group], currency),
            amount=Money(tax[one.group], currency),
        )
        for one in placed.taxes
        if one.group in tax and (base[one.group] or tax[one.group])
    )


def credited_charges(order: Order, refund: Refund, *, label: str) -> tuple[Charge, ...]:
    """The part of a refund that no line bears: the order's own charges if it is all of them, else one sum."""
    assert order.placed is not None
    beside = Money(beside_lines(refund), refund.amount.currency)
    if beside.amount == 0:
        return ()
    if order.placed.explanation is not None:
        shipping = order.placed.shipping
        return (Charge(kind="shipping", label=label if shipping is None else shipping.label, amount=beside),)
    if beside.amount == paid_beside_lines(order.placed) and not refunded_beside_lines(order):
        return order.placed.charges
    return (Charge(kind="manual", label=label, amount=beside),)
