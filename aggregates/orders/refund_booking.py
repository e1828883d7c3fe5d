"""Booking a refund: that the money has gone back, with the tax in each of its parts."""

from __future__ import annotations

from dataclasses import replace

from aggregates.kernel import Money, OrderId, Rejected
from aggregates.orders.events import OrderEvent, OrderRefunded, RefundedCharge, RefundedLine
from aggregates.orders.fulfilment import TooManyUnits, UnknownLine
from aggregates.orders.order import Order, Refund, placed_order
from aggregates.orders.refund import share_amount
from aggregates.orders.refundable import (
    RefundOverTender,
    RefundTooLarge,
    beside_lines,
    refundables,
    tenders_of,
    with_withdrawn_units,
)
from aggregates.pricing import refunds
from aggregates.pricing.rules import SHIPPING


def book_refund(
    order: Order, *, order_id: OrderId, credit_note_id: str, refund: Refund, reason: str | None = None
) -> tuple[OrderEvent, ...]:
    """Writes down that the money went back, once per credit note."""
    placed = placed_order(order, order_id)
    if credit_note_id in order.refunds:
        return ()
    for part in refund.lines:
        line = order.lines.get(part.line_id)
        if line is None:
            raise Rejected(UnknownLine(order_id=order_id, line_id=part.line_id))
        if part.quantity > line.ordered.quantity - line.refunded:
            raise Rejected(
                TooManyUnits(
                    line_id=part.line_id,
                    asked=part.quantity,
                    remaining=line.ordered.quantity - line.refunded,
                )
            )
    remaining = placed.total - order.refunded
    if refund.amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=refund.amount, remaining=remaining))
    if placed.explanation is not None:
        _require_left(order, refund, order_id)
    _require_tenders(order, refund)
    lines, charges = _taxed(order, refund)
    return (
        OrderRefunded(
            order_id=order_id,
            credit_note_id=credit_note_id,
            amount=refund.amount,
            lines=with_withdrawn_units(replace(refund, lines=lines), order.lines).lines,
            charges=charges,
            tenders=refund.tenders,
            reason=reason,
            customer_id=placed.customer_id,
        ),
    )


def _require_left(order: Order, refund: Refund, order_id: OrderId) -> None:
    """Refuses more for a line, or for shipping, than is left of what was paid for it."""
    parts = {part.line_id: part.amount.amount for part in refund.lines}
    parts[SHIPPING] = beside_lines(refund)
    left = {SHIPPING: 0} | {one.target: one.left for one in refundables(order)}
    for target, amount in parts.items():
        if amount > left[target]:
            currency = refund.amount.currency
            raise Rejected(RefundTooLarge(order_id, Money(amount, currency), Money(left[target], currency)))


def _require_tenders(order: Order, refund: Refund) -> None:
    """Refuses more for a tender than it gave and has not got back."""
    assert order.placed is not None
    currency = refund.amount.currency
    left = {one.tender: one.left for one in tenders_of(order)}
    for one in refund.tenders:
        if one.amount.amount > left.get(one.key, 0):
            remaining = Money(left.get(one.key, 0), currency)
            raise Rejected(RefundOverTender(one.key, one.amount, remaining))


def _taxed(order: Order, refund: Refund) -> tuple[tuple[RefundedLine, ...], tuple[RefundedCharge, ...]]:
    """The parts of a refund with the tax in each; of orders without rules there is none."""
    assert order.placed is not None
    currency = refund.amount.currency
    nothing = Money(0, currency)
    beside = beside_lines(refund)
    if order.placed.explanation is None:
        charge = RefundedCharge(kind="manual", amount=Money(beside, currency), tax=nothing)
        lines = tuple(replace(part, tax=nothing) for part in refund.lines)
        return lines, (charge,) if beside else ()
    left = {one.target: one for one in refundables(order)}
    lines = tuple(
        replace(part, tax=Money(left[part.line_id].tax_in(part.amount.amount), currency))
        for part in refund.lines
    )
    if not beside:
        return lines, ()
    tax = left[SHIPPING].tax_in(beside)
    shipping = order.placed.shipping
    groups = {} if shipping is None else shipping.tax_groups
    back = order.refunded_shipping_taxes
    left_of_groups = {one: amount - back.get(one, 0) for one, amount in groups.items()}
    charge = RefundedCharge(
        kind="shipping",
        amount=Money(beside, currency),
        tax=Money(tax, currency),
        tax_groups=refunds.share_tax(tax, left_of_groups) if groups else {},
    )
    return lines, (charge,)


def still_bookable(order: Order, refund: Refund) -> Refund:
    """The refund as it was planned; or what can still go back of it, where more went back meanwhile: each
    tender gets at most what is left of it."""
    placed = order.placed
    assert placed is not None
    try:
        book_refund(order, order_id=placed.order_id, credit_note_id="", refund=refund)
    except Rejected:
        return _cut_to_tenders(order, refund)
    return refund


def _cut_to_tenders(order: Order, refund: Refund) -> Refund:
    left = {one.tender: one.left for one in tenders_of(order)}
    currency = refund.amount.currency
    parts = {one.key: min(one.amount, Money(left.get(one.key, 0), currency)) for one in refund.tenders}
    credit = tuple(replace(one, amount=parts[one.key]) for one in refund.credit if parts[one.key].amount)
    return replace(share_amount(order, Money.sum(parts.values(), currency)), credit=credit)
