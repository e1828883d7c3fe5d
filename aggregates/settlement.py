"""What an order and its payment owe each other: read off both, whoever asks."""

from __future__ import annotations

from aggregates.kernel import Money, OrderId
from aggregates.orders.order import Order
from aggregates.payments.events import OwedChanged, ProcessEvent, StepBegun
from aggregates.payments.payment import Payment
from aggregates.payments.process import LOST, Process


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


def owe(sold: Order, paid: Payment, process: Process, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """What a person must settle, where it is another than before; nothing while a call is under way."""
    if sold.placed is None or process.open_steps or paid.amount is None:
        return ()
    total, credited = sold.placed.total, sold.refunded_amount
    if sold.canceled:
        to_customer = paid.left
        to_shop = 0
    else:
        to_customer = credited + max(0, paid.captured - total.amount) - paid.returned - paid.disputed
        to_shop = (due(sold, paid) if sold.units_fulfilled else 0) - credited - paid.captured
    owed = OwedChanged(
        order_id=order_id,
        to_shop=Money(max(0, to_shop - process.written_off_to_shop), total.currency),
        to_customer=Money(max(0, to_customer - process.written_off_to_customer), total.currency),
        stuck=tuple(dict.fromkeys(step.call for step in _still_stuck(process, paid))),
        concerns=tuple(
            sorted(concern for concern in process.concerns if concern != "hold_lapses" or paid.held > 0)
        ),
    )
    if process.owed is None and not owed.is_owed:
        return ()
    return () if owed == process.owed else (owed,)


def _still_stuck(process: Process, paid: Payment) -> list[StepBegun]:
    """The stuck steps that what is known by now has not made needless."""

    def matters(step: StepBegun) -> bool:
        known = paid.standings.get(step.gateway_reference or "")
        match step.call:
            case "authorize":
                return process.outcomes[step.step] == LOST
            case "void":
                return known is None or known.open
            case "capture":
                return known is not None and known.held > 0
            case "refund":
                return known is None or known.left > 0
            case "look":
                return True

    return [step for step in process.stuck.values() if matters(step)]
