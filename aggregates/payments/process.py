"""The process of an order's payment (`checkout-<order id>`): its steps at the gateway, what an operator does.

A step is begun before the gateway is called and ended with its answer, so that a crash between the two
shows; its number, with the stream's name, is the key under which the gateway knows the call. A step
that the gateway refuses, or whose outcome is lost, is stuck: none of its kind is begun until an operator
asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from aggregates.kernel import OrderId, Reason, Rejected, StreamKind
from aggregates.payments.events import (
    Call,
    Concern,
    ConcernRaised,
    OwedChanged,
    PaymentRetried,
    PaymentWrittenOff,
    ProcessEvent,
    ProcessStarted,
    StepBegun,
    StepEnded,
)

REFUSED = "refused"
"""The outcome of a call that the gateway will never do."""
LOST = "lost"
"""The outcome of a call of which nobody can tell any more whether it was done."""


@dataclass(slots=True)
class Process:
    """`open_steps` by number, in order: the gateway is called for the first; the rest wait."""

    kind: str | None = None
    last_step: int = 0
    open_steps: dict[int, StepBegun] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)
    stuck: dict[int, StepBegun] = field(default_factory=dict)
    refunds: set[str] = field(default_factory=set)  # credit note ids, those that gave nothing back out
    retries: int = 0
    concerns: set[Concern] = field(default_factory=set)
    written_off_to_shop: int = 0  # minor units
    written_off_to_customer: int = 0
    owed: OwedChanged | None = None

    def is_open(self, *calls: Call) -> bool:
        """Whether such a call is under way."""
        return any(step.call in calls for step in self.open_steps.values())

    def is_stuck(self, call: Call, reference: str | None) -> bool:
        """Whether such a call about this payment of the gateway's may not be begun again by itself."""
        return any((step.call, step.gateway_reference) == (call, reference) for step in self.stuck.values())

    @property
    def refunds_under_way(self) -> tuple[StepBegun, ...]:
        """Refunds asked of the gateway and not yet answered."""
        return tuple(step for step in self.open_steps.values() if step.call == "refund")


@dataclass(frozen=True, slots=True)
class UnknownStep(Reason):
    """The process has begun no such step"""

    order_id: OrderId
    step: int


@dataclass(frozen=True, slots=True)
class NothingToRetry(Reason):
    """No step of the payment is stuck, and nothing is owed"""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class NothingToWriteOff(Reason):
    """Nothing is owed, and nothing is to be looked at"""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class CallUnderWay(Reason):
    """The gateway is being asked about the payment: what is owed is known once it has answered"""

    order_id: OrderId


def initial() -> Process:
    """A process that was not started."""
    return Process()


def evolve(process: Process, event: ProcessEvent) -> Process:
    """The process after the event; changes it in place."""
    match event:
        case ProcessStarted(kind=kind):
            process.kind = kind
        case StepBegun(step=step, refund=request):
            process.last_step = step
            process.open_steps[step] = event
            if request is not None:
                process.refunds.add(request.credit_note_id)
        case StepEnded(step=step, outcome=outcome):
            begun = process.open_steps.pop(step)
            process.outcomes[step] = outcome
            if outcome in (REFUSED, LOST):
                process.stuck[step] = begun
                if begun.refund is not None:
                    process.refunds.discard(begun.refund.credit_note_id)
        case PaymentRetried():
            process.retries += 1
            process.stuck.clear()
        case PaymentWrittenOff(to_shop=to_shop, to_customer=to_customer):
            process.written_off_to_shop += to_shop.amount
            process.written_off_to_customer += to_customer.amount
            process.concerns.clear()
            process.stuck.clear()
        case ConcernRaised(concern=concern):
            process.concerns.add(concern)
        case OwedChanged():
            process.owed = event
        case _:
            assert_never(event)
    return process


stream = StreamKind("checkout", initial, evolve)


def start(process: Process, *, order_id: OrderId, kind: str = "checkout") -> tuple[ProcessEvent, ...]:
    """Begins to follow the order's payment."""
    if process.kind is not None:
        return ()
    return (ProcessStarted(order_id=order_id, kind=kind),)


def end_step(
    process: Process,
    *,
    order_id: OrderId,
    step: int,
    outcome: str,
    code: str | None = None,
    request_id: str | None = None,
) -> tuple[ProcessEvent, ...]:
    """The gateway answered the step's call."""
    if step in process.outcomes:
        return ()
    if step not in process.open_steps:
        raise Rejected(UnknownStep(order_id=order_id, step=step))
    return (StepEnded(order_id=order_id, step=step, outcome=outcome, code=code, request_id=request_id),)


def retry(process: Process, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """Lets stuck steps be begun anew; nothing while the gateway is being asked already."""
    if process.open_steps and not process.stuck:
        return ()
    if not process.stuck and not _is_owed(process.owed):
        raise Rejected(NothingToRetry(order_id))
    return (PaymentRetried(order_id=order_id),)


def write_off(process: Process, *, order_id: OrderId, reason: str | None) -> tuple[ProcessEvent, ...]:
    """Gives up what is owed either way; nothing of it is listed any more."""
    owed = process.owed
    if owed is None or not owed.is_owed:
        raise Rejected(NothingToWriteOff(order_id))
    if process.open_steps:  # What they bring would be taken off twice.
        raise Rejected(CallUnderWay(order_id))
    return (
        PaymentWrittenOff(
            order_id=order_id, to_shop=owed.to_shop, to_customer=owed.to_customer, reason=reason
        ),
    )


def raise_concern(process: Process, *, order_id: OrderId, concern: Concern) -> tuple[ProcessEvent, ...]:
    """Puts the payment on the operator's list, once until it is written off.

    That a hold lapses is said each time: the event ends the timer that asked.
    """
    if concern in process.concerns and concern != "hold_lapses":
        return ()
    return (ConcernRaised(order_id=order_id, concern=concern),)


def _is_owed(owed: OwedChanged | None) -> bool:
    return owed is not None and (owed.to_shop.amount > 0 or owed.to_customer.amount > 0)
