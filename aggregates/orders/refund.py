"""Giving money back: how much, for which lines, and never more than was paid.

A refund is planned when it is asked for and booked when the money has gone back; between the two it is
under way, and the next plan counts it as gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from aggregates.orders.order import Line, Order, placed_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """An amount to give back and the part of it that each line bears; charges bear the rest."""

    amount: Money
    lines: tuple[RefundedLine, ...]


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
    proportion, and never more than they are worth. Neither: all that remains, charges included.
    """
    placed = placed_order(order, order_id)
    taken = _Taken(order, under_way)
    remaining = Money(placed.total.amount - taken.amount, placed.currency)
    if order.canceled or not order.confirmed or remaining.amount == 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if amount is not None and amount.currency != placed.currency:
        raise Rejected(WrongCurrency(asked=amount.currency, expected=placed.currency))
    if lines is None:
        planned = (
            Refund(amount=remaining, lines=_rest_of_lines(order, taken, placed.currency))
            if amount is None
            else Refund(amount=amount, lines=())
        )
    else:
        units = units_of(
            order,
            order_id=order_id,
            asked=lines,
            left=lambda line: line.ordered.quantity - taken.units.get(line.ordered.line_id, 0),
        )
        planned = _of_lines(
            order, order_id=order_id, units=units, amount=amount, taken=taken, currency=placed.currency
        )
    if planned.amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=planned.amount, remaining=remaining))
    if planned.amount.amount <= 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    return planned


def book_refund(
    order: Order, *, order_id: OrderId, credit_note_id: str, refund: Refund, reason: str
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
            lines=refund.lines,
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


class _Taken:
    """What was refunded before or is under way, by line and in all."""

    def __init__(self, order: Order, under_way: Sequence[Refund]) -> None:
        self.amount = order.refunded_amount + sum(refund.amount.amount for refund in under_way)
        self.units = {line_id: line.refunded for line_id, line in order.lines.items()}
        self.by_line = {line_id: line.refunded_amount for line_id, line in order.lines.items()}
        for refund in under_way:
            for line in refund.lines:
                self.units[line.line_id] += line.quantity
                self.by_line[line.line_id] += line.amount.amount


def _of_lines(
    order: Order,
    *,
    order_id: OrderId,
    units: Mapping[LineId, int],
    amount: Money | None,
    taken: _Taken,
    currency: str,
) -> Refund:
    worth = {line_id: _share(order.lines[line_id], quantity, taken) for line_id, quantity in units.items()}
    whole = Money(sum(worth.values()), currency)
    if amount is None:
        shares = [Money(part, currency) for part in worth.values()]
    elif amount > whole:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=amount, remaining=whole))
    else:
        shares = allocate(amount, list(worth.values())) if whole.amount else []
    return Refund(
        amount=whole if amount is None else amount,
        lines=tuple(
            RefundedLine(line_id=line_id, quantity=units[line_id], amount=share)
            for line_id, share in zip(worth, shares, strict=True)
        ),
    )


def _share(line: Line, quantity: int, taken: _Taken) -> int:
    """Minor units for `quantity` more units, counted from the first: all shares sum to the line total."""
    line_id, total = line.ordered.line_id, line.ordered.line_total.amount
    before = taken.units[line_id]
    share = _part(total, before + quantity, line.ordered.quantity) - _part(
        total, before, line.ordered.quantity
    )
    return max(0, min(share, total - taken.by_line[line_id]))


def _part(total: int, units: int, of: int) -> int:
    return int((Decimal(total * units) / of).to_integral_value(ROUND_HALF_EVEN))


def _rest_of_lines(order: Order, taken: _Taken, currency: str) -> tuple[RefundedLine, ...]:
    rest = (
        RefundedLine(
            line_id=line_id,
            quantity=line.ordered.quantity - taken.units[line_id],
            amount=Money(line.ordered.line_total.amount - taken.by_line[line_id], currency),
        )
        for line_id, line in order.lines.items()
    )
    return tuple(line for line in rest if line.quantity or line.amount.amount)


def _charges_total(placed: OrderPlaced) -> Money:
    return Money.sum((charge.amount for charge in placed.charges), placed.currency)
