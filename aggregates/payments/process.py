"""The steps of one order's payment at the gateway (stream `checkout-<order id>`).

A step is begun before the gateway is called and ended with its answer, so that a crash between the two
shows; its number, with the stream's name, is the key under which the gateway knows the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from aggregates.kernel import Money, OrderId, Reason, Rejected, StreamKind
from aggregates.payments.events import (
    Call,
    ProcessEvent,
    ProcessStarted,
    RefundRequest,
    StepBegun,
    StepEnded,
)
from aggregates.payments.payment import Payment, PaymentNotPossible, left

REFUSED = "refused"
"""The outcome of a call that the gateway will never do: nothing is booked, and it may be begun anew."""


@dataclass(slots=True)
class Process:
    """`open_steps` by number, in order: the gateway is called for the first; the rest wait."""

    kind: str | None = None
    last_step: int = 0
    open_steps: dict[int, StepBegun] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)
    calls: dict[Call, int] = field(default_factory=dict)  # the latest step of each but refund
    refunds: set[str] = field(default_factory=set)  # credit note ids, refused ones out
    undone: bool = False  # a refund without credit note was begun

    @property
    def capturing(self) -> bool:
        """Whether a capture was requested and the gateway did not refuse it."""
        return "capture" in self.calls and self.outcomes.get(self.calls["capture"]) != REFUSED

    @property
    def refunds_under_way(self) -> tuple[StepBegun, ...]:
        """Refunds asked of the gateway and not yet answered."""
        return tuple(step for step in self.open_steps.values() if step.call == "refund")


@dataclass(frozen=True, slots=True)
class UnknownStep(Reason):
    """The process has begun no such step"""

    order_id: OrderId
    step: int


def initial() -> Process:
    """A process that was not started."""
    return Process()


def evolve(process: Process, event: ProcessEvent) -> Process:
    """The process after the event; changes it in place."""
    match event:
        case ProcessStarted(kind=kind):
            process.kind = kind
        case StepBegun(step=step, call=call, refund=request):
            process.last_step = step
            process.open_steps[step] = event
            if call != "refund":
                process.calls[call] = step
            elif request is None:
                process.undone = True
            else:
                process.refunds.add(request.credit_note_id)
        case StepEnded(step=step, outcome=outcome):
            begun = process.open_steps.pop(step)
            process.outcomes[step] = outcome
            if outcome == REFUSED and begun.call == "refund":
                if begun.refund is None:
                    process.undone = False
                else:
                    process.refunds.discard(begun.refund.credit_note_id)
        case _:
            assert_never(event)
    return process


stream = StreamKind("checkout", initial, evolve)


def start(process: Process, *, order_id: OrderId, kind: str = "checkout") -> tuple[ProcessEvent, ...]:
    """Begins to follow the order's payment."""
    if process.kind is not None:
        return ()
    return (ProcessStarted(order_id=order_id, kind=kind),)


def begin_step(
    process: Process,
    *,
    order_id: OrderId,
    call: Call,
    amount: Money,
    method: str | None = None,
    gateway_reference: str | None = None,
    refund: RefundRequest | None = None,
    reason: str | None = None,
) -> tuple[ProcessEvent, ...]:
    """Makes a call of the gateway due: each but a refund once, a refund once per credit note."""
    if call == "refund":
        known = process.undone if refund is None else refund.credit_note_id in process.refunds
    else:
        known = call in process.calls and process.outcomes.get(process.calls[call]) != REFUSED
    if known:
        return ()
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call=call,
            amount=amount,
            method=method,
            gateway_reference=gateway_reference,
            refund=refund,
            reason=reason,
        ),
    )


def end_step(process: Process, *, order_id: OrderId, step: int, outcome: str) -> tuple[ProcessEvent, ...]:
    """The gateway answered the step's call."""
    if step in process.outcomes:
        return ()
    if step not in process.open_steps:
        raise Rejected(UnknownStep(order_id=order_id, step=step))
    return (StepEnded(order_id=order_id, step=step, outcome=outcome),)


def begin_capture(process: Process, payment: Payment, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """Takes what was authorized, in full; nothing to do where the money is ours, or none is due."""
    if payment.captured is not None or payment.phase == "not_needed":
        return ()
    if payment.phase != "authorized" or payment.authorized is None:
        raise Rejected(PaymentNotPossible(order_id=order_id, step="capture", payment_status=payment.status))
    return begin_step(
        process,
        order_id=order_id,
        call="capture",
        amount=payment.authorized,
        gateway_reference=payment.gateway_reference,
    )


def begin_refund(
    process: Process,
    payment: Payment,
    *,
    order_id: OrderId,
    amount: Money,
    request: RefundRequest,
    reason: str | None = None,
) -> tuple[ProcessEvent, ...]:
    """Gives back a part of what the gateway took, or is about to take."""
    if payment.source != "gateway" and not process.capturing:
        raise Rejected(PaymentNotPossible(order_id=order_id, step="refund", payment_status=payment.status))
    return begin_step(
        process,
        order_id=order_id,
        call="refund",
        amount=amount,
        gateway_reference=payment.gateway_reference,
        refund=request,
        reason=reason,
    )


def undo(process: Process, payment: Payment, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """The order is canceled: gives up the hold, or gives back what was taken.

    Nothing to do while a call is open: its answer, seen with the order canceled, is undone then.
    """
    if process.open_steps or payment.source == "elsewhere":
        return ()
    if payment.captured is not None:
        if (owed := left(payment)).amount == 0:
            return ()
        return begin_step(
            process,
            order_id=order_id,
            call="refund",
            amount=owed,
            gateway_reference=payment.gateway_reference,
        )
    if payment.phase in ("authorized", "action_required"):
        held = payment.authorized or payment.amount
        assert held is not None
        return begin_step(
            process,
            order_id=order_id,
            call="void",
            amount=held,
            gateway_reference=payment.gateway_reference,
        )
    return ()
