"""Canceling an order, for its shopper or the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from aggregates.kernel import Money, OrderId, Reason, Rejected
from aggregates.orders import order
from aggregates.orders.order import Order
from aggregates.payments import payment, process
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from commands.handlers.cancellation import cancel, release_unsendable
from commands.handlers.settlement import settle
from commands.loop.decision import SHOPPER, Actor, Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Give an order up, before anything of it was sent."""

    name: ClassVar = "cancel_order"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    canceled_on: date  # UTC
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OrderSecretRequired(Reason):
    """This is for whoever placed the order"""


def handle_cancel_order(cache: StateCache, command: CancelOrder) -> Decision:
    """Cancels, puts the units back on sale, and undoes the payment; again where the gateway refused that.

    Of an order that was sent in part and has nothing left to send, what is still set aside goes back.
    """
    order_id, process_stream, payment_stream = (
        command.order_id,
        process.stream(command.order_id),
        payment.stream(command.order_id),
    )
    states = cache.states((order.stream(order_id), payment_stream, process_stream))
    sold: Order = states[order.stream(order_id)]
    _require_hold(cache.actor, sold)
    paid: Payment = states[payment_stream]
    steps: Process = states[process_stream]
    decision = Decision(id=order_id, stream=order.stream(order_id))
    if sold.units_fulfilled and release_unsendable(cache, decision, order_id, sold.lines.values()):
        return decision
    cancel(
        cache,
        decision,
        order_id=order_id,
        cause="canceled",
        reason=command.reason,
        refunding=bool(steps.refunds_under_way),
    )
    if steps.stuck and not steps.open_steps:
        decision.add(process_stream, process.retry(steps, order_id=order_id))
    settle(cache, decision, order_id, on=command.canceled_on)
    if paid.paid_elsewhere is not None and paid.left:
        decision.add(
            payment_stream,
            payment.refund_elsewhere(
                paid,
                order_id=order_id,
                amount=Money(paid.left, paid.paid_elsewhere.currency),
                credit_note_id=None,
            ),
        )
    return decision


def _require_hold(actor: Actor, asked_for: Order) -> None:
    """A shopper may ask for an order that was placed with a secret; one of before is the operator's."""
    placed = asked_for.placed
    if actor.kind == SHOPPER and (placed is None or placed.secret_hash is None):
        raise Rejected(OrderSecretRequired())


HANDLERS: Handlers = {CancelOrder: handle_cancel_order}
