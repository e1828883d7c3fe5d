"""What is left of what was paid for an order: for each line and for shipping, and of each tender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

from aggregates.kernel import LineId, Money, OrderId, Reason
from aggregates.orders.order import Line, Order, Refund, with_refunds
from aggregates.pricing.refunds import Refundable, Tender
from aggregates.pricing.rules import SHIPPING

CARD = "card"
"""The tender that the gateway pays back; credit is named by its account."""


@dataclass(frozen=True, slots=True)
class RefundTooLarge(Reason):
    """More than the order has left to refund"""

    order_id: OrderId
    asked: Money
    remaining: Money


@dataclass(frozen=True, slots=True)
class RefundOverTender(Reason):
    """More than this means of payment gave and has not got back"""

    tender: str
    asked: Money
    remaining: Money


@dataclass(frozen=True, slots=True)
class NothingToRefund(Reason):
    """Nothing of the order is left to refund"""

    order_id: OrderId
    order_status: str


def refundable(line: Line) -> Refundable:
    """The line, with what is booked of it."""
    sold = line.ordered
    return Refundable(
        sold.line_id, sold.paid.amount, sold.tax.amount, sold.quantity, line.refunded, line.refunded_amount
    )


def refundables(order: Order, under_way: Sequence[Refund] = ()) -> list[Refundable]:
    """The lines, and shipping as a line of one unit, with what is booked and `under_way` of each."""
    assert order.placed is not None
    found = [refundable(line) for line in with_refunds(order, under_way).values()]
    shipping = order.placed.shipping
    if shipping is not None:
        refunded = refunded_beside_lines(order) + sum(beside_lines(refund) for refund in under_way)
        found.append(Refundable(SHIPPING, shipping.paid, shipping.tax, refunded=refunded))
    return found


def shipping_left(order: Order, under_way: Sequence[Refund]) -> int:
    """Minor units that are left of what was paid for shipping."""
    return sum(one.left for one in refundables(order, under_way) if one.target == SHIPPING)


def beside_lines(refund: Refund) -> int:
    """The minor units of a refund that no line bears."""
    return refund.amount.amount - sum(part.amount.amount for part in refund.lines)


def refunded_beside_lines(order: Order) -> int:
    """The minor units that are booked and that no line bears."""
    return order.refunded_amount - sum(line.refunded_amount for line in order.lines.values())


def tenders_of(order: Order, under_way: Sequence[Refund] = ()) -> list[Tender]:
    """What each tender gave and got back, in the order they were taken; refunds `under_way` count."""
    assert order.placed is not None
    back = Counter(order.refunded_credit) + Counter({CARD: order.refunded_card_amount})
    for refund in under_way:
        for one in refund.tenders:
            back[one.key] += one.amount.amount
    gave = {one.key: one.amount.amount for one in order.placed.tenders if one.kind != "card"}
    gave[CARD] = order.placed.card.amount
    return [Tender(key, amount, back[key]) for key, amount in gave.items()]


def with_withdrawn_units(refund: Refund, lines: Mapping[LineId, Line]) -> Refund:
    """The refund with the number of units that each of its parts withdraws from `lines`."""
    parts = []
    for part in refund.lines:
        before = lines[part.line_id]
        after = copy(before)
        after.refund(part)
        parts.append(replace(part, withdrawn=after.withdrawn - before.withdrawn))
    return replace(refund, lines=tuple(parts))
