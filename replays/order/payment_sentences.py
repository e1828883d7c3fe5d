"""One sentence for each event of a payment, its process and its gateway, in words that an auditor reads."""

from __future__ import annotations

from typing import assert_never

from aggregates.kernel import Money
from aggregates.payments.events import (
    ActionRequired,
    BalanceReconciled,
    ConcernRaised,
    GatewayEvent,
    GatewayNewsFetched,
    GatewayNewsParked,
    GatewayNewsReceived,
    GatewayPaymentForeign,
    GatewayPaymentLinked,
    OwedChanged,
    PaymentAttemptFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentRequested,
    PaymentRetried,
    PaymentVoided,
    PaymentWrittenOff,
    ProcessEvent,
    ProcessStarted,
    StepBegun,
    StepEnded,
)
from aggregates.payments.standing import Standing
from replays.order.moments import format_time
from replays.order.words import money_in_words, why

_CAPTURE = {
    "fulfilment": "at the first fulfilment",
    "checkout": "at once",
    "each": "part by part, with each fulfilment",
}
_SOURCE = {
    "gateway": "by the gateway",
    "elsewhere": "elsewhere, before it came to these books",
    "credit": "by credit alone",
}
_CONCERNS = {
    "dispute": "the customer disputes it",
    "early_fraud_warning": "the card's issuer warns of fraud",
    "review": "the gateway holds it for review",
    "hold_lapses": "its hold is about to lapse",
    "unreconciled": "the gateway's balance report says otherwise",
}


def describe_payment(event: PaymentEvent) -> str:
    """What happened to the money, in a sentence."""
    match event:
        case PaymentRequested(method=method, amount=amount, credit=credit, capture=capture):
            beside = f" beside {money_in_words(credit)} of credit" if credit.amount else ""
            words = (
                f"{money_in_words(amount)} to be paid with {method}{beside}, captured {_CAPTURE[capture]}."
            )
        case PaymentNotNeeded():
            words = "Nothing is to be paid."
        case PaymentAuthorized(amount=amount, gateway_reference=reference, capture_before=before):
            until = f", until {format_time(before)}" if before else ""
            words = f"{money_in_words(amount)} authorized by the bank{until} (reference {reference})."
        case ActionRequired(gateway_reference=reference):
            words = f"The shopper must prove who they are first (reference {reference})."
        case PaymentAttemptFailed(code=code, gateway_reference=reference):
            words = f"An attempt to pay failed: {code} (reference {reference})."
        case PaymentDeclined(code=code):
            words = f"The payment was declined: {code}."
        case PaymentVoided():
            words = _voided(event)
        case PaymentCaptured(amount=amount, source=source, final=final):
            more = "" if final else "; the rest is still held"
            words = f"{money_in_words(amount)} captured {_SOURCE[source]}{more}."
        case _:
            words = _back(event)
    return words


def _voided(event: PaymentVoided) -> str:
    amount = money_in_words(event.amount)
    match event.cause:
        case "canceled" if event.amount.amount == 0:
            return "The payment was given up; nothing was held."
        case "canceled":
            return f"The authorization of {amount} was given up; nothing was taken."
        case "lapsed":
            return f"The authorization of {amount} lapsed; it can be taken no more."
        case "captured":
            return f"The rest of the authorization, {amount}, was released."
        case _:
            assert_never(event.cause)


def _back(
    event: PaymentRefunded | PaymentRefundSettled | PaymentRefundFailed | PaymentDisputed,
) -> str:
    match event:
        case PaymentRefunded():
            return _paid_back(event)
        case PaymentRefundSettled(refund_reference=refund):
            return f"The refund {refund} has arrived."
        case PaymentRefundFailed(amount=amount, refund_reference=refund, state=state):
            return f"The refund {refund} of {money_in_words(amount)} gave nothing back: {state}."
        case PaymentDisputed():
            return _disputed(event)
        case _:
            assert_never(event)


def _paid_back(event: PaymentRefunded) -> str:
    verb = "on its way back" if event.pending else "paid back"
    refund = f" (refund {event.refund_reference})" if event.refund_reference else ""
    if event.credit_note_id:
        why = f" by credit note {event.credit_note_id}"
    elif event.refund_reference and event.step is None:
        why = " by the gateway itself"
    else:
        return f"{money_in_words(event.amount)} {verb}{refund}: the sale was undone."
    return f"{money_in_words(event.amount)} {verb}{why}{refund}."


def _disputed(event: PaymentDisputed) -> str:
    dispute = f"dispute {event.dispute} (transaction {event.transaction})"
    fee = f", and a fee of {money_in_words(event.fee)} was charged" if event.fee.amount else ""
    if event.amount.amount < 0:
        return f"{money_in_words(-event.amount)} taken from us by {dispute}{fee}."
    return f"{money_in_words(event.amount)} given back to us by {dispute}{fee}."


def describe_process(event: ProcessEvent) -> str:
    """What the gateway was asked for and answered, and what is left to a person, in a sentence."""
    match event:
        case ProcessStarted(kind=kind):
            words = f"The process that follows the payment began ({kind})."
        case StepBegun(step=step, reason=reason):
            words = f"Step {step}: the gateway is to {_call(event)}{why(reason)}."
        case StepEnded(step=step):
            words = f"Step {step} ended: {_outcome(event)}."
        case PaymentRetried():
            words = "An operator asked for what is stuck, or owed, to be tried anew."
        case PaymentWrittenOff(reason=reason):
            words = f"{_written_off(event)}{why(reason)}."
        case ConcernRaised(concern=concern):
            words = f"An operator must look at the payment: {_CONCERNS[concern]}."
        case OwedChanged():
            words = _owed(event)
        case _:
            assert_never(event)
    return words


def _call(event: StepBegun) -> str:
    amount, reference = money_in_words(event.amount), event.gateway_reference
    of = f" (reference {reference})" if reference else ""
    match event.call:
        case "authorize":
            method = f" with {event.method}" if event.method else ""
            return f"authorize {amount}{method}" + (", to be captured in parts" if event.in_parts else "")
        case "capture" if event.amount.amount == 0:
            return f"release what is still held{of}"
        case "capture":
            return f"capture {amount}" + ("" if event.final else ", and hold the rest") + of
        case "void":
            return f"void {amount}" + (", unless it is held by now" if event.unless_authorized else "") + of
        case "refund":
            note = f" for credit note {event.refund.credit_note_id}" if event.refund else ""
            released = Money(event.refund.released if event.refund else 0, event.amount.currency)
            untaken = f", which leaves {money_in_words(released)} untaken" if released.amount else ""
            return f"refund {amount}{note}{untaken}{of}"
        case "look":
            return f"say all it knows of payment {reference}"
        case _:
            assert_never(event.call)


def _outcome(event: StepEnded) -> str:
    words = event.outcome.replace("_", " ")
    if event.outcome == "lost":
        words = "lost; nobody can say whether it was done"
    code = f", as the gateway says {event.code}" if event.code else ""
    return words + code + (f" (request {event.request_id})" if event.request_id else "")


def _written_off(event: PaymentWrittenOff) -> str:
    parts = []
    if event.to_shop.amount:
        parts.append(f"{money_in_words(event.to_shop)} owed to the shop")
    if event.to_customer.amount:
        parts.append(f"{money_in_words(event.to_customer)} owed to the customer")
    if not parts:
        return "An operator has looked at the payment, and leaves it so"
    return f"Written off by an operator: {' and '.join(parts)}"


def _owed(event: OwedChanged) -> str:
    parts = []
    if event.to_shop.amount:
        parts.append(f"{money_in_words(event.to_shop)} are owed to the shop")
    if event.to_customer.amount:
        parts.append(f"{money_in_words(event.to_customer)} are owed to the customer")
    parts += [f"the call to {call} is stuck" for call in event.stuck]
    parts += [_CONCERNS[concern] for concern in event.concerns]
    if not parts:
        return "Nothing is left for a person to settle."
    return f"Left for a person to settle: {'; '.join(parts)}."


def describe_gateway(event: GatewayEvent) -> str:
    """What the gateway sent, in a sentence."""
    match event:
        case GatewayNewsReceived(event_id=event_id, kind=kind, created=created):
            return f"The gateway sent news {event_id}: {kind}, of {format_time(created)}."
        case GatewayPaymentLinked(gateway_reference=reference, order_id=order_id):
            return f"The gateway's payment {reference} is for order {order_id}."
        case GatewayNewsParked(gateway_reference=reference, standing=standing):
            known = "" if standing is None else f" ({_standing(standing)})"
            return f"News of the gateway's payment {reference}{known} wait until its order is known."
        case GatewayPaymentForeign(gateway_reference=reference):
            return f"The gateway's payment {reference} is for no order of ours."
        case GatewayNewsFetched(gateway=gateway, up_to=up_to):
            return f"All news of {gateway} up to {format_time(up_to)} were asked for."
        case BalanceReconciled(gateway=gateway, since=since, until=until, left=left, failure=failure):
            result = f"failed: {failure}" if failure else f"{left or 'nothing'} left to be looked into"
            return f"Reconciled with {gateway} from {format_time(since)} to {format_time(until)}: {result}."
        case _:
            assert_never(event)


def _standing(known: Standing) -> str:
    amounts = {
        "authorized": known.authorized,
        "captured": known.captured,
        "refunded": known.returned,
        "disputed": known.disputed,
    }
    parts = [
        f"{money_in_words(Money(amount, known.currency))} {what}"
        for what, amount in amounts.items()
        if amount
    ]
    if known.closed:
        parts.append(f"ended: {known.closed}")
    return ", ".join(parts) or "no amount"
