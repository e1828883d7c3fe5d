"""Sending an order's lines, and taking them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected
from aggregates.orders.events import LineQuantity, LinesFulfilled, LinesReturned, OrderEvent, SentGiftCard
from aggregates.orders.order import Line, Order, Refund, placed_order, with_refunds
from aggregates.pricing.shares import half_even

Asked = Mapping[LineId, int] | None
"""Units by line; None: all that remain."""


@dataclass(frozen=True, slots=True)
class NotFulfillable(Reason):
    """Nothing of the order can be sent now"""

    order_id: OrderId
    order_status: str


@dataclass(frozen=True, slots=True)
class NotReturnable(Reason):
    """Nothing of the order can come back now"""

    order_id: OrderId
    order_status: str


@dataclass(frozen=True, slots=True)
class UnknownLine(Reason):
    """The order has no such line"""

    order_id: OrderId
    line_id: LineId


@dataclass(frozen=True, slots=True)
class TooManyUnits(Reason):
    """More units than the line still has"""

    line_id: LineId
    asked: int
    remaining: int


def fulfil(
    order: Order,
    *,
    order_id: OrderId,
    fulfilment_id: str,
    lines: Asked = None,
    under_way: Sequence[Refund] = (),
    account_of: Callable[[LineId, int], str] | None = None,
) -> tuple[OrderEvent, ...]:
    """Sends units of a confirmed order, once per `fulfilment_id`; none that refunds `under_way` withdraw.

    `account_of` names the account of a gift card among them: that of a line's unit, from 1.
    """
    placed = placed_order(order, order_id)
    if fulfilment_id in order.fulfilments:
        return ()
    if not order.confirmed or order.canceled:
        raise Rejected(NotFulfillable(order_id=order_id, order_status=order.status))
    units = units_of(
        with_refunds(order, under_way), order_id=order_id, asked=lines, left=lambda line: line.unsent
    )
    if not units:
        raise Rejected(NotFulfillable(order_id=order_id, order_status=order.status))
    return (
        LinesFulfilled(
            order_id=order_id,
            fulfilment_id=fulfilment_id,
            lines=_quantities(order, units),
            gift_cards=tuple(_gift_cards(order, units, account_of)),
            customer_id=placed.customer_id,
        ),
    )


def worth_of(order: Order, card: SentGiftCard) -> Money:
    """What a gift card that was sent can pay: its unit's price, by its share of the line's total."""
    sold = order.lines[card.line_id].ordered
    total, units = sold.line_total, sold.quantity
    up_to, before = (half_even(total.amount * unit, units) for unit in (card.unit, card.unit - 1))
    return Money(up_to - before, total.currency)


def _gift_cards(
    order: Order, units: Mapping[LineId, int], account_of: Callable[[LineId, int], str] | None
) -> Iterator[SentGiftCard]:
    """The gift cards among these units that are sent next."""
    for line_id, quantity in units.items():
        line = order.lines[line_id]
        if not line.ordered.gift_card:
            continue
        if account_of is None:
            raise ValueError(f"line {line_id} has gift cards: they need accounts")
        for unit in range(line.fulfilled + 1, line.fulfilled + quantity + 1):
            yield SentGiftCard(line_id=line_id, unit=unit, account_id=account_of(line_id, unit))


def return_lines(
    order: Order,
    *,
    order_id: OrderId,
    return_id: str,
    lines: Asked = None,
    restock: bool,
    reason: str | None = None,
) -> tuple[OrderEvent, ...]:
    """Takes back units that were sent, once per `return_id`; `restock`: they go back on the shelf."""
    placed = placed_order(order, order_id)
    if return_id in order.returns:
        return ()
    units = units_of(
        order.lines, order_id=order_id, asked=lines, left=lambda line: line.fulfilled - line.returned
    )
    if not units:
        raise Rejected(NotReturnable(order_id=order_id, order_status=order.status))
    return (
        LinesReturned(
            order_id=order_id,
            return_id=return_id,
            lines=_quantities(order, units),
            restock=restock,
            reason=reason,
            customer_id=placed.customer_id,
        ),
    )


def units_of(
    lines: Mapping[LineId, Line], *, order_id: OrderId, asked: Asked, left: Callable[[Line], int]
) -> dict[LineId, int]:
    """The units asked for, checked against what is `left` of each line; all that are left for None."""
    if asked is None:
        return {line_id: left(line) for line_id, line in lines.items() if left(line) > 0}
    for line_id, quantity in asked.items():
        line = lines.get(line_id)
        if line is None:
            raise Rejected(UnknownLine(order_id=order_id, line_id=line_id))
        if quantity < 1:
            raise ValueError(f"{quantity} units of line {line_id}: at least 1")
        if quantity > left(line):
            raise Rejected(TooManyUnits(line_id=line_id, asked=quantity, remaining=left(line)))
    return dict(asked)


def _quantities(order: Order, units: Mapping[LineId, int]) -> tuple[LineQuantity, ...]:
    return tuple(
        LineQuantity(line_id=line_id, sku=order.lines[line_id].ordered.sku, quantity=quantity)
        for line_id, quantity in units.items()
    )
