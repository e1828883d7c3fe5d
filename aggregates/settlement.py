"""What an order and its payment owe each other: read off both, whoever asks."""

from __future__ import annotations

from aggregates.kernel import OrderId
from aggregates.orders.order import Order
from aggregates.payments import process
from aggregates.payments.events import ProcessEvent
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process


def due(sold: Order, paid: Payment) -> int:
    """What the shop may have taken by now, in minor units."""
    if sold.placed is None or not sold.confirmed or sold.canceled:
        return 0
    total = sold.placed.total.amount
    if paid.capture == "checkout":
        return total
    if not sold.units_fulfilled:
        return 0
    if paid.capture == "fulfilment":
        return total
    sent = sum(
        line.ordered.line_total.amount * line.fulfilled // line.ordered.quantity
        for line in sold.lines.values()
    )
    charges = sum(charge.amount.amount for charge in sold.placed.charges)
    return min(total, max(0, sent + charges))


def owe(sold: Order, paid: Payment, steps: Process, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """What a person must settle, where it is another than was said last."""
    if sold.placed is None:
        return ()
    return process.owe(
        steps,
        paid,
        order_id=order_id,
        total=sold.placed.total,
        due=due(sold, paid) if sold.units_fulfilled else 0,
        credited=sold.refunded_amount,
        canceled=sold.canceled,
    )
