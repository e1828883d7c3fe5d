"""The calls of the gateway that an order's payment needs, begun as steps; and which of them show as done."""

from __future__ import annotations

from aggregates.kernel import Money, OrderId, Rejected
from aggregates.payments.events import Call, ProcessEvent, RefundRequest, StepBegun
from aggregates.payments.payment import Payment, PaymentNotPossible, RefundOverCapture
from aggregates.payments.process import Process
from aggregates.payments.standing import Standing


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
    """Gives back a part of what the gateway took, or is about to take; once per credit note.

    One call gives back of one of the gateway's payments: more than the most that one has left is refused.
    """
    if request is not None and request.credit_note_id in process.refunds:
        return ()
    known, refundable = most_refundable(process, payment)
    if known is None:
        raise Rejected(PaymentNotPossible(order_id=order_id, step="refund", payment_status=payment.status))
    if amount.amount > refundable:
        remaining = Money(max(0, refundable), known.currency)
        raise Rejected(RefundOverCapture(order_id=order_id, asked=amount, remaining=remaining))
    return (
        StepBegun(
            order_id=order_id,
            step=process.last_step + 1,
            call="refund",
            amount=amount,
            gateway_reference=known.reference,
            refund=request,
            reason=reason,
        ),
    )


def most_refundable(process: Process, payment: Payment) -> tuple[Standing | None, int]:
    """The gateway's payment with the most to give back, in minor units, once what is under way is done."""

    def under_way(known: Standing, call: Call) -> list[StepBegun]:
        steps = process.open_steps.values()
        return [step for step in steps if (step.call, step.gateway_reference) == (call, known.reference)]

    found: tuple[Standing | None, int] = (None, 0)
    for known in payment.standings.values():
        captures = under_way(known, "capture")
        if not known.captured and not captures:
            continue
        refunds = sum(step.amount.amount for step in under_way(known, "refund"))
        refundable = known.left + sum(step.amount.amount for step in captures) - refunds
        if found[0] is None or refundable > found[1]:
            found = (known, refundable)
    return found


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
        if not begun and known.left > 0 and _may_refund(process, known):
            begun = (
                StepBegun(
                    order_id=order_id,
                    step=process.last_step + 1,
                    call="refund",
                    amount=Money(known.left, known.currency),
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
