"""The steps of an order's payment at the gateway (`checkout-<order id>`), and what is left to a person.

A step is begun before the gateway is called and ended with its answer, so that a crash between the two
shows; its number, with the stream's name, is the key under which the gateway knows the call. A step
that the gateway refuses, or whose outcome is lost, is stuck: none of its kind is begun until an operator
asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from aggregates.kernel import Money, OrderId, Reason, Rejected, StreamKind
from aggregates.payments.events import (
    Call,
    Concern,
    ConcernRaised,
    OwedChanged,
    PaymentRetried,
    PaymentWrittenOff,
    ProcessEvent,
    ProcessStarted,
    RefundRequest,
    StepBegun,
    StepEnded,
)
from aggregates.payments.payment import Payment, PaymentNotPossible
from aggregates.payments.standing import Standing

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


def begin_authorize(
    process: Process, *, order_id: OrderId, method: str | None, amount: Money, in_parts: bool = False
) -> tuple[ProcessEvent, ...]:
    """Asks the bank to hold the amount; not while it is being asked."""
    if process.is_open("authorize"):
        return ()
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call="authorize",
            amount=amount,
            method=method,
            in_parts=in_parts,
        ),
    )


def begin_capture(
    process: Process, payment: Payment, *, order_id: OrderId, due: int, all_sent: bool
) -> tuple[ProcessEvent, ...]:
    """Takes what is `due` in all, in minor units, and is not yet ours; the last releases the rest.

    Where the bank lets a hold be captured but once, all of it is taken the first time.
    """
    if process.is_open("authorize", "capture", "void"):
        return ()
    for known in payment.open:
        missing = min(due - payment.captured, known.held)
        if missing <= 0 or process.is_stuck("capture", known.reference):
            continue
        in_parts = payment.capture == "each" and known.in_parts
        amount = missing if in_parts else known.held
        return (
            StepBegun(
                order_id=order_id,
                step=process.last_step + 1,
                call="capture",
                amount=Money(amount, known.currency),
                gateway_reference=known.reference,
                final=not in_parts or all_sent,
                captured_after=known.captured + amount,
            ),
        )
    return ()


def begin_refund(
    process: Process,
    payment: Payment,
    *,
    order_id: OrderId,
    amount: Money,
    request: RefundRequest | None,
    reason: str | None = None,
) -> tuple[ProcessEvent, ...]:
    """Gives back a part of what the gateway took, or is about to take; once per credit note."""
    if request is not None and request.credit_note_id in process.refunds:
        return ()
    candidates = [known for known in payment.standings.values() if known.captured]
    if not candidates and process.is_open("capture"):
        candidates = payment.open
    if not candidates:
        raise Rejected(PaymentNotPossible(order_id=order_id, step="refund", payment_status=payment.status))
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call="refund",
            amount=amount,
            gateway_reference=max(candidates, key=_left).reference,
            refund=request,
            reason=reason,
        ),
    )


def begin_void(
    process: Process, known: Standing, *, order_id: OrderId, amount: Money, unless_authorized: bool = False
) -> tuple[ProcessEvent, ...]:
    """Gives up a payment of the gateway's; `unless_authorized`: but keeps a hold that is found there."""
    if process.open_steps or process.is_stuck("void", known.reference):
        return ()
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call="void",
            amount=amount,
            gateway_reference=known.reference,
            unless_authorized=unless_authorized,
        ),
    )


def begin_look(
    process: Process, *, order_id: OrderId, reference: str, currency: str
) -> tuple[ProcessEvent, ...]:
    """Asks the gateway for all that it knows of a payment; not while it is being asked."""
    if any(
        (step.call, step.gateway_reference) == ("look", reference) for step in process.open_steps.values()
    ):
        return ()
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call="look",
            amount=Money(0, currency),
            gateway_reference=reference,
        ),
    )


def undo(process: Process, payment: Payment, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """The order is canceled: gives up a hold, or gives back what was taken, one after the other.

    Nothing to do while a call is open: its answer, seen with the order canceled, is undone then.
    """
    if process.open_steps or payment.amount is None:
        return ()
    for known in payment.standings.values():
        begun = _give_up(process, known, order_id, payment.amount)
        if not begun and _left(known) > 0 and _may_refund(process, known):
            begun = (
                StepBegun(
                    order_id=order_id,
                    step=process.last_step + 1,
                    call="refund",
                    amount=Money(_left(known), known.currency),
                    gateway_reference=known.reference,
                ),
            )
        if begun:
            return begun
    return ()


def give_up_holds(process: Process, payment: Payment, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """What is still to come was written off: lets go of what banks hold, one hold after the other."""
    if process.open_steps or payment.amount is None:
        return ()
    for known in payment.open:
        if known.held and (begun := _give_up(process, known, order_id, payment.amount)):
            return begun
    return ()


def _give_up(process: Process, known: Standing, order_id: OrderId, asked: Money) -> tuple[ProcessEvent, ...]:
    if not known.open:
        return ()
    if known.captured:  # Taken in part: what is still held can only be released.
        return _release_rest(process, known, order_id)
    held = Money(known.held or asked.amount, known.currency)
    return begin_void(process, known, order_id=order_id, amount=held)


def _may_refund(process: Process, known: Standing) -> bool:
    """Not by itself after one was refused, or failed: it would only fail again."""
    failed = sum(not refund.alive for refund in known.refunds)
    return failed <= process.retries and not process.is_stuck("refund", known.reference)


def _release_rest(process: Process, known: Standing, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    if process.is_stuck("capture", known.reference):
        return ()
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call="capture",
            amount=Money(0, known.currency),
            gateway_reference=known.reference,
        ),
    )


def is_done(begun: StepBegun, key: str, known: Standing) -> bool:
    """Whether what is known of the payment shows that the step under `key` was done."""
    match begun.call:
        case "capture" if begun.amount.amount == 0:
            return known.closed is not None
        case "capture":
            enough = known.captured >= (begun.captured_after or begun.amount.amount)
            return enough or known.closed == "captured"
        case "void":
            return known.closed is not None or (begun.unless_authorized and known.most > 0)
        case "refund":
            return any(refund.step == key for refund in known.refunds)
        case "authorize" | "look":
            return True


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
    """Puts the payment on the operator's list."""
    return () if concern in process.concerns else (ConcernRaised(order_id=order_id, concern=concern),)


def owe(
    process: Process,
    payment: Payment,
    *,
    order_id: OrderId,
    total: Money,
    due: int,
    credited: int,
    canceled: bool,
) -> tuple[ProcessEvent, ...]:
    """What a person must settle, where it is another than was said last; nothing while calls are under way.

    Of the order's `total`, the goods sent are worth what is `due`; credit notes promised what is `credited`.
    """
    if process.open_steps or payment.amount is None:
        return ()
    if canceled:
        to_customer = payment.left
        to_shop = 0
    else:
        to_customer = credited + max(0, payment.captured - total.amount) - payment.returned - payment.disputed
        to_shop = due - credited - payment.captured
    owed = OwedChanged(
        order_id=order_id,
        to_shop=Money(max(0, to_shop - process.written_off_to_shop), total.currency),
        to_customer=Money(max(0, to_customer - process.written_off_to_customer), total.currency),
        stuck=tuple(dict.fromkeys(step.call for step in _still_stuck(process, payment))),
        concerns=tuple(
            sorted(concern for concern in process.concerns if concern != "hold_lapses" or payment.held > 0)
        ),
    )
    nothing = OwedChanged(
        order_id=order_id,
        to_shop=Money(0, total.currency),
        to_customer=Money(0, total.currency),
        stuck=(),
        concerns=(),
    )
    return () if owed == (process.owed or nothing) else (owed,)


def _still_stuck(process: Process, payment: Payment) -> list[StepBegun]:
    """The stuck steps that what is known by now has not made needless."""

    def matters(step: StepBegun) -> bool:
        known = payment.standings.get(step.gateway_reference or "")
        match step.call:
            case "authorize":
                return process.outcomes[step.step] == LOST
            case "void":
                return known is None or known.open
            case "capture":
                return known is not None and known.held > 0
            case "refund":
                return known is None or _left(known) > 0
            case "look":
                return True

    return [step for step in process.stuck.values() if matters(step)]


def _left(known: Standing) -> int:
    return known.captured - known.returned - known.disputed


def _is_owed(owed: OwedChanged | None) -> bool:
    return owed is not None and (owed.to_shop.amount > 0 or owed.to_customer.amount > 0)
