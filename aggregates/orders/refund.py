"""Giving money back: how much, for which lines, and never more than was paid.

A refund is planned when it is asked for and booked when the money has gone back; between the two it is
under way, and the next plan counts it as gone. Of the units it covers, those that came back are refunded
first; the others, as far as they were not sent, are withdrawn: they are not sent any more.

A line is worth what was paid for it. Where an order was priced by rules of sale, its lines and its shipping
bear all of its total, so every refund is shared among them, and none gets back more than was paid for it.

It goes back to what it was paid with: the last taken first, which is the card, each up to what it gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from aggregates.kernel import LineId, Money, OrderId, Rejected, WrongCurrency, allocate
from aggregates.orders.events import RefundedLine
from aggregates.orders.fulfilment import Asked, units_of
from aggregates.orders.order import Line, Order, Refund, paid_beside_lines, placed_order, with_refunds
from aggregates.orders.refundable import (
    NothingToRefund,
    RefundOverTender,
    RefundTooLarge,
    refundable,
    refundables,
    shipping_left,
    tenders_of,
    with_withdrawn_units,
)
from aggregates.pricing import refunds
from aggregates.pricing.refunds import refund_amount
from aggregates.pricing.rules import SHIPPING


def plan_refund(
    order: Order,
    *,
    order_id: OrderId,
    amount: Money | None = None,
    lines: Asked = None,
    shipping: bool = False,
    to: Mapping[str, Money] | None = None,
    under_way: Sequence[Refund] = (),
) -> Refund:
    """How much goes back, for what, and to what. `shipping` is named like a line, of one unit.

    `to`: what is to go to which tender (`Tender.key`); the rest goes as it was paid.

    Lines alone: their units' share of what was paid for them, so that refunding a line unit by unit gives
    exactly that. An amount alone: shared by what is left of each line and of shipping; borne by no line
    where the order was not priced by rules. Both: the amount, shared among the lines in
    proportion, and never more than they are worth. Neither: all that remains, charges included, and shared
    where amounts alone left less than the lines are worth; so is whatever comes to all that remains and
    would leave units to send: what is paid back completely is not sent.
    """
    placed = placed_order(order, order_id)
    lines_left = with_refunds(order, under_way)
    remaining = placed.total - order.refunded
    for refund in under_way:
        remaining -= refund.amount
    if order.canceled or not order.confirmed or remaining.amount <= 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if amount is not None and amount.currency != placed.currency:
        raise Rejected(WrongCurrency(asked=amount.currency, expected=placed.currency))
    if placed.explanation is None:
        rest = _rest_of(lines_left, remaining, paid_beside_lines(placed))
    else:
        rest = _shared_rest_of(order, lines_left, remaining, under_way)
    all_of_it = Refund(amount=remaining, lines=rest)
    if lines is None and not shipping:
        planned = all_of_it if amount is None else share_amount(order, amount, under_way=under_way)
    else:
        units = units_of(
            lines_left,
            order_id=order_id,
            asked={} if lines is None else lines,
            left=lambda line: line.ordered.quantity - line.refunded,
        )
        worth = {
            line_id: refundable(lines_left[line_id]).worth(quantity) for line_id, quantity in units.items()
        }
        if shipping:
            worth[SHIPPING] = shipping_left(order, under_way)
            if not worth[SHIPPING]:
                raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
        planned = _of_parts(worth, order_id=order_id, units=units, amount=amount, currency=placed.currency)
    if planned.amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=planned.amount, remaining=remaining))
    if planned.amount.amount <= 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if planned.amount == remaining and _leaves_units_to_send(order, [*under_way, planned]):
        planned = all_of_it
    return with_withdrawn_units(_to_tenders(order, planned, to or {}, under_way), lines_left)


def share_amount(order: Order, amount: Money, *, under_way: Sequence[Refund] = ()) -> Refund:
    """An amount for no units: shared by what is left of each line and of shipping, as far as it goes; borne
    by no line where the order was not priced by rules."""
    assert order.placed is not None
    if order.placed.explanation is None:
        return Refund(amount=amount, lines=())
    left = refundables(order, under_way)
    shares = refund_amount(left, min(amount.amount, sum(one.left for one in left)))
    return Refund(
        amount=amount,
        lines=tuple(
            RefundedLine(line_id=one.target, quantity=0, amount=Money(one.amount, amount.currency))
            for one in shares
            if one.target in order.lines
        ),
    )


def leaves_nothing(order: Order, refund: Refund) -> bool:
    """Whether with this refund all money is back and no unit was or will be sent: the order ends canceled."""
    if order.placed is None or not order.units or order.units_fulfilled:
        return False
    is_all = order.refunded + refund.amount == order.placed.total
    return is_all and not _leaves_units_to_send(order, [refund])


def _rest_of(lines: Mapping[LineId, Line], remaining: Money, charges: int) -> tuple[RefundedLine, ...]:
    worth = [line.ordered.paid.amount - line.refunded_amount for line in lines.values()]
    shares = [Money(part, remaining.currency) for part in worth]
    beside = remaining.amount - sum(worth)
    if beside < 0 and beside != charges:
        shares = allocate(remaining, worth)
    rest = (
        RefundedLine(line_id=line_id, quantity=line.ordered.quantity - line.refunded, amount=share)
        for (line_id, line), share in zip(lines.items(), shares, strict=True)
    )
    return tuple(line for line in rest if line.quantity or line.amount.amount)


def _shared_rest_of(
    order: Order, lines: Mapping[LineId, Line], remaining: Money, under_way: Sequence[Refund]
) -> tuple[RefundedLine, ...]:
    """What is left of each line and its units; shipping bears the rest."""
    shares = refund_amount(refundables(order, under_way), remaining.amount)
    amounts = {one.target: one.amount for one in shares}
    rest = (
        RefundedLine(
            line_id=line_id,
            quantity=line.ordered.quantity - line.refunded,
            amount=Money(amounts.get(line_id, 0), remaining.currency),
        )
        for line_id, line in lines.items()
    )
    return tuple(line for line in rest if line.quantity or line.amount.amount)


def _of_parts(
    worth: Mapping[LineId, int],
    *,
    order_id: OrderId,
    units: Mapping[LineId, int],
    amount: Money | None,
    currency: str,
) -> Refund:
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
            if line_id in units
        ),
    )


def _to_tenders(order: Order, refund: Refund, to: Mapping[str, Money], under_way: Sequence[Refund]) -> Refund:
    """The refund with the credit that gets its part of it back."""
    assert order.placed is not None
    currency = refund.amount.currency
    given = [one for one in order.placed.tenders if one.kind != "card"]
    if not given and not to:
        return refund
    for amount in to.values():
        if amount.currency != currency:
            raise Rejected(WrongCurrency(asked=amount.currency, expected=currency))
    named = Money.sum(to.values(), currency)
    if named > refund.amount:
        raise Rejected(RefundTooLarge(order.placed.order_id, named, refund.amount))
    parts_named = {tender: amount.amount for tender, amount in to.items()}
    try:
        parts = refunds.by_tender(refund.amount.amount, tenders_of(order, under_way), parts_named)
    except refunds.OverTenderError as error:
        raise Rejected(
            RefundOverTender(error.tender, Money(error.requested, currency), Money(error.remaining, currency))
        ) from None
    credit = (replace(one, amount=Money(parts.get(one.key, 0), currency)) for one in reversed(given))
    return replace(refund, credit=tuple(one for one in credit if one.amount.amount))


def _leaves_units_to_send(order: Order, refunds: Sequence[Refund]) -> bool:
    return any(line.unsent for line in with_refunds(order, refunds).values())
