"""Giving an order up before anything of it was sent."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import OrderId, Reason, Rejected
from aggregates.orders.events import CancelCause, LineQuantity, OrderCanceled, OrderEvent, parts_of
from aggregates.orders.order import Order, placed_order


@dataclass(frozen=True, slots=True)
class NotCancelable(Reason):
    """The order can no longer be canceled"""

    order_id: OrderId
    order_status: str


@dataclass(frozen=True, slots=True)
class RefundUnderWay(Reason):
    """Money of the order is on its way back: cancel it once that is done"""

    order_id: OrderId


def cancel(
    order: Order, *, order_id: OrderId, cause: CancelCause, reason: str | None = None, refunding: bool = False
) -> tuple[OrderEvent, ...]:
    """Gives the order up, as long as nothing was sent. The event names what credit notes gave back before.

    `refunding`: a refund is under way at the gateway.
    """
    placed = placed_order(order, order_id)
    if order.canceled:
        return ()
    if order.units_fulfilled:
        raise Rejected(NotCancelable(order_id=order_id, order_status=order.status))
    if refunding:
        raise Rejected(RefundUnderWay(order_id))
    return (
        OrderCanceled(
            order_id=order_id,
            cause=cause,
            placed_on=placed.placed_on,
            currency=placed.currency,
            total=placed.total,
            credited=order.refunded,
            lines=tuple(
                LineQuantity(line_id=line.line_id, sku=line.sku, quantity=line.quantity)
                for line in placed.lines
            ),
            parts=parts_of(placed).less(order.refunded.amount, placed.total.amount),
            placed_at=placed.placed_at,
            cart_id=placed.cart_id,
            customer_id=placed.customer_id,
            reason=reason,
        ),
    )
