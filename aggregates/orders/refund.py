"""Giving money back: how much, for which lines, and never more than was paid.

A refund is planned when it is asked for and booked when the money has gone back; between the two it is
under way, and the next plan counts it as gone. Of the units it covers, those that came back are refunded
first; the others, as far as they were not sent, are withdrawn: they are not sent any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected, WrongCurrency, allocate
from aggregates.orders.events import (
    Charge,
    CreditNoteLine,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
    RefundedLine,
)
from aggregates.orders.fulfilment import Asked, TooManyUnits, UnknownLine, units_of
from aggregates.orders.order import Line, Order, Refund, placed_order, with_refunds


@dataclass(frozen=True, slots=True)
class RefundTooLarge(Reason):
    """More than the order has left to refund"""

    order_id: OrderId
    asked: Money
    remaining: Money


@dataclass(frozen=True, slots=True)
class NothingToRefund(Reason):
    """Nothing of the order is left to refund"""

    order_id: OrderId
    order_status: str


def plan_refund(
    order: Order,
    *,
    order_id: OrderId,
    amount: Money | None = None,
    lines: Asked = None,
    under_way: Sequence[Refund] = (),
) -> Refund:
    """How much goes back, and for what.

    Lines alone: their units' share of the line totals, so that refunding a line unit by unit gives its
    exact total. An amount alone: that much, borne by no line. Both: the amount, shared among the lines in
    proportion, and never more than they are worth. Neither: all that remains, charges included, and shared
    where amounts alone left less than the lines are worth; so is whatever comes to all that remains and
    would leave units to send: what is paid back completely is not sent.
    """
    placed = placed_order(order, order_id)
    lines_left = with_refunds(order, under_way)
    remaining = placed.total - order.refunded
    for refund in under_way:
        remaining -= refund.amount
    if order.canceled or not order.confirmed or remaining.amount == 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if amount is not None and amount.currency != placed.currency:
        raise Rejected(WrongCurrency(asked=amount.currency, expected=placed.currency))
    all_of_it = Refund(amount=remaining, lines=_rest_of(lines_left, remaining, _charges_total(placed)))
    if lines is None:
        planned = all_of_it if amount is None else Refund(amount=amount, lines=())
    else:
        units = units_of(
            lines_left,
            order_id=order_id,
            asked=lines,
            left=lambda line: line.ordered.quantity - line.refunded,
        )
        planned = _of_lines(
            lines_left, order_id=order_id, units=units, amount=amount, currency=placed.currency
        )
    if planned.amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=planned.amount, remaining=remaining))
    if planned.amount.amount <= 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if planned.amount == remaining and _leaves_units_to_send(order, [*under_way, planned]):
        planned = all_of_it
    return _with_withdrawn_units(planned, lines_left)


def leaves_nothing(order: Order, refund: Refund) -> bool:
    """Whether with this refund all money is back and no unit was or will be sent: the order ends canceled."""
    if order.placed is None or not order.units or order.units_fulfilled:
        return False
    is_all = order.refunded + refund.amount == order.placed.total
    return is_all and not _leaves_units_to_send(order, [refund])


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
    return (
        OrderRefunded(
            order_id=order_id,
            credit_note_id=credit_note_id,
            amount=refund.amount,
            lines=_with_withdrawn_units(refund, order.lines).lines,
            reason=reason,
            customer_id=placed.customer_id,
        ),
    )


def credited_lines(order: Order, refund: Refund) -> tuple[CreditNoteLine, ...]:
    """The refund's lines as its credit note shows them."""
    return tuple(
        CreditNoteLine(
            sku=order.lines[line.line_id].ordered.sku,
            title=order.lines[line.line_id].ordered.title,
            quantity=line.quantity,
            amount=line.amount,
        )
        for line in refund.lines
    )


def credited_charges(order: Order, refund: Refund, *, label: str) -> tuple[Charge, ...]:
    """The part of a refund that no line bears: the order's own charges if it is all of them, else one sum."""
    assert order.placed is not None
    beside = refund.amount - Money.sum((line.amount for line in refund.lines), refund.amount.currency)
    if beside.amount == 0:
        return ()
    by_lines = sum(line.refunded_amount for line in order.lines.values())
    if beside == _charges_total(order.placed) and order.refunded_amount == by_lines:
        return order.placed.charges
    return (Charge(kind="manual", label=label, amount=beside),)


def _leaves_units_to_send(order: Order, refunds: Sequence[Refund]) -> bool:
    return any(line.unsent for line in with_refunds(order, refunds).values())


def _with_withdrawn_units(refund: Refund, lines: Mapping[LineId, Line]) -> Refund:
    """The refund with the number of units that each of its parts withdraws from `lines`."""
    parts = []
    for part in refund.lines:
        before = lines[part.line_id]
        after = copy(before)
        after.refund(part)
        parts.append(replace(part, withdrawn=after.withdrawn - before.withdrawn))
    return replace(refund, lines=tuple(parts))


def _of_lines(
    lines: Mapping[LineId, Line],
    *,
    order_id: OrderId,
    units: Mapping[LineId, int],
    amount: Money | None,
    currency: str,
) -> Refund:
    worth = {line_id: _share(lines[line_id], quantity) for line_id, quantity in units.items()}
    remaining = Money(sum(worth.values()), currency)
    if amount is None:
        shares = [Money(part, currency) for part in worth.values()]
    elif amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=amount, remaining=remaining))
    else:
        shares = allocate(amount, list(worth.values())) if remaining.amount else []
    return Refund(
        amount=remaining if amount is None else amount,
        lines=tuple(
            RefundedLine(line_id=line_id, quantity=units[line_id], amount=share)
            for line_id, share in zip(worth, shares, strict=True)
        ),
    )


def _share(line: Line, quantity: int) -> int:
    """Minor units for `quantity` more units, counted from the first: all shares sum to the line total."""
    total, ordered = line.ordered.line_total.amount, line.ordered.quantity
    share = _part(total, line.refunded + quantity, ordered) - _part(total, line.refunded, ordered)
    return max(0, min(share, total - line.refunded_amount))


def _part(total: int, units: int, of: int) -> int:
    return int((Decimal(total * units) / of).to_integral_value(ROUND_HALF_EVEN))


def _rest_of(lines: Mapping[LineId, Line], remaining: Money, charges: Money) -> tuple[RefundedLine, ...]:
    worth = [line.ordered.line_total.amount - line.refunded_amount for line in lines.values()]
    shares = [Money(part, remaining.currency) for part in worth]
    beside = remaining.amount - sum(worth)
    if beside < 0 and beside != charges.amount:
        shares = allocate(remaining, worth)
    rest = (
        RefundedLine(line_id=line_id, quantity=line.ordered.quantity - line.refunded, amount=share)
        for (line_id, line), share in zip(lines.items(), shares, strict=True)
    )
    return tuple(line for line in rest if line.quantity or line.amount.amount)


def _charges_total(placed: OrderPlaced) -> Money:
    return Money.sum((charge.amount for charge in placed.charges), placed.currency)
