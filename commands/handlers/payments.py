"""What follows from a gateway's answer, and from none in time: one command over everything it concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from aggregates.inventory import stock
from aggregates.inventory.events import ReleaseCause
from aggregates.inventory.stock import Stock
from aggregates.kernel import OrderId
from aggregates.orders import order
from aggregates.orders.order import Order
from aggregates.payments import payment, process
from aggregates.payments.events import StepBegun
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from commands.handlers.cancellation import cancel
from commands.handlers.refunds import book, note_for, refund_of
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache

GatewayOutcome = Literal[
    "authorized", "action_required", "declined", "captured", "voided", "refunded", "refused"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGatewayOutcome:
    """Write down what the gateway answered to a step, and all that follows from it."""

    name: ClassVar = "record_gateway_outcome"
    order_id: OrderId
    step: int
    outcome: GatewayOutcome
    answered_on: date  # UTC
    reference: str | None = None  # authorized, action_required
    code: str | None = None  # declined, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireOrder:
    """Give up an order whose payment was not decided in time; `now` is UTC."""

    name: ClassVar = "expire_order"
    order_id: OrderId
    now: datetime


class _Account:
    """What an order's money hangs on. Decisions follow each other here: each is seen by the next."""

    def __init__(self, cache: StateCache, order_id: OrderId) -> None:
        self.cache = cache
        self.order_id = order_id
        self._payment_stream, self._process_stream = payment.stream(order_id), process.stream(order_id)
        self.order_stream = order.stream(order_id)
        self._states = cache.states((self.order_stream, self._payment_stream, self._process_stream))
        self.order: Order = self._states[self.order_stream]
        self.decision = Decision(id=order_id, stream=self.order_stream)

    @property
    def payment(self) -> Payment:
        """As it stands now."""
        paid: Payment = self._states[self._payment_stream]
        return self.decision.after(self._payment_stream, paid)

    @property
    def steps(self) -> Process:
        """As they stand now."""
        steps: Process = self._states[self._process_stream]
        return self.decision.after(self._process_stream, steps)

    def paid(self, events: Iterable[Any]) -> None:
        """Adds what was decided on the payment."""
        self.decision.add(self._payment_stream, events)

    def stepped(self, events: Iterable[Any]) -> None:
        """Adds what was decided on the process."""
        self.decision.add(self._process_stream, events)

    def shelves(self) -> dict[str, Stock]:
        """The stocks of what was ordered, by SKU."""
        placed = order.placed_order(self.order, self.order_id)
        skus = dict.fromkeys(line.sku for line in placed.lines)
        states = self.cache.states(stock.stream(sku) for sku in skus)
        return {sku: states[stock.stream(sku)] for sku in skus}

    def give_up(self, cause: ReleaseCause) -> None:
        """Cancels the order and puts its units back on sale."""
        cancel(self.cache, self.decision, order_id=self.order_id, cause=cause)

    def undo(self) -> None:
        """Gives up or gives back what the gateway holds of a canceled order."""
        self.stepped(process.undo(self.steps, self.payment, order_id=self.order_id))


def handle_record_gateway_outcome(cache: StateCache, command: RecordGatewayOutcome) -> Decision:
    """Ends the step and books its outcome; the same outcome twice decides nothing the second time."""
    account = _Account(cache, command.order_id)
    begun = account.steps.open_steps.get(command.step)
    account.stepped(
        process.end_step(account.steps, order_id=command.order_id, step=command.step, outcome=command.outcome)
    )
    if begun is None:
        return account.decision
    match begun.call, command.outcome:
        case "authorize", "authorized":
            _authorized(account, begun, _reference(command))
        case "authorize", "action_required":
            account.paid(
                payment.require_action(
                    account.payment, order_id=command.order_id, gateway_reference=_reference(command)
                )
            )
        case "authorize", "declined":
            account.paid(
                payment.decline(account.payment, order_id=command.order_id, code=command.code or "declined")
            )
            if not account.order.canceled:
                account.give_up("declined")
        case "capture", "captured":
            account.paid(
                payment.capture(
                    account.payment, order_id=command.order_id, amount=begun.amount, source="gateway"
                )
            )
        case "void", "voided":
            account.paid(payment.void(account.payment, order_id=command.order_id))
        case "refund", "refunded":
            _refunded(account, begun, command.answered_on)
        case _, "refused":
            pass  # nothing moved, so nothing is booked; the ended step and the log line record it
        case call, outcome:
            raise ValueError(f"{outcome} is no answer to {call}")
    if account.order.canceled and begun.call in ("authorize", "capture"):
        account.undo()
    return account.decision


def handle_expire_order(cache: StateCache, command: ExpireOrder) -> Decision:
    """Cancels and releases, if the payment is still undecided and the units were kept long enough."""
    account = _Account(cache, command.order_id)
    if account.order.status != "placed":
        return account.decision
    held = [
        shelf.reservations[command.order_id]
        for shelf in account.shelves().values()
        if command.order_id in shelf.reservations
    ]
    if any(reservation.expires_at > command.now for reservation in held):
        return account.decision
    account.give_up("expired")
    account.undo()
    return account.decision


def _authorized(account: _Account, begun: StepBegun, reference: str) -> None:
    order_id = account.order_id
    account.paid(
        payment.authorize(
            account.payment, order_id=order_id, amount=begun.amount, gateway_reference=reference
        )
    )
    if account.order.canceled:
        return
    account.decision.add(account.order_stream, order.confirm(account.order, order_id=order_id))
    for sku, shelf in account.shelves().items():
        account.decision.add(stock.stream(sku), stock.confirm(shelf, sku=sku, order_id=order_id))
    if account.payment.capture == "checkout":
        account.stepped(process.begin_capture(account.steps, account.payment, order_id=order_id))


def _refunded(account: _Account, begun: StepBegun, answered_on: date) -> None:
    request, note, planned = begun.refund, None, None
    if request is not None:
        planned = refund_of(begun.amount, request)
        note = note_for(account.order, planned, request.credit_note_id)
    account.paid(
        payment.refund(account.payment, order_id=account.order_id, amount=begun.amount, credit_note_id=note)
    )
    if planned is not None:
        book(
            account.cache,
            account.decision,
            order_id=account.order_id,
            credit_note_id=note,
            planned=planned,
            issued_on=answered_on,
        )


def _reference(command: RecordGatewayOutcome) -> str:
    if command.reference is None:
        raise ValueError(f"{command.outcome} without the gateway's reference")
    return command.reference


HANDLERS: Handlers = {
    RecordGatewayOutcome: handle_record_gateway_outcome,
    ExpireOrder: handle_expire_order,
}
