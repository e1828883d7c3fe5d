"""What each payment event does to the payment that an order shows.

What is known of each of the gateway's payments is kept, and the sums and the status are read off it: so
they are the aggregate's, in whatever order the gateway's facts arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import assert_never

from aggregates.payments.events import (
    ActionRequired,
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
    PaymentVoided,
    StandingEvent,
)
from projections.documents.shapes import GatewayPayment, Money, Payment, PaymentRefund
from projections.views.amounts import money

_ON_ITS_WAY = frozenset({"pending", "requires_action"})
_GAVE_NOTHING_BACK = frozenset({"canceled", "failed"})


def evolve(payment: Payment, event: PaymentEvent) -> None:
    """Changes the payment in place."""
    match event:
        case PaymentRequested(method=method, amount=amount):
            payment.method = method
            payment.requested = money(amount)
        case PaymentNotNeeded():
            payment.status = "not_needed"
        case PaymentDeclined(code=code):
            payment.decline_code = code
        case PaymentCaptured(amount=amount, source="elsewhere" | "credit"):
            payment.captured = money(amount)
        case PaymentRefunded(gateway_reference=None) if not payment.gateway_payments:
            payment.refunds.append(_refund(event))
        case _:
            _learn(payment, event)
    _sum_up(payment)
    payment.status = _status(payment)


def _learn(payment: Payment, event: StandingEvent) -> None:
    known = _gateway_payment(payment, event.gateway_reference)
    match event:
        case PaymentAuthorized(amount=amount):
            known.authorized = amount.amount
        case ActionRequired():
            known.acting = True
        case PaymentAttemptFailed():
            pass  # Another attempt may follow.
        case PaymentVoided(cause=cause):
            known.closed = cause
        case PaymentCaptured(amount=amount, final=final):
            known.captured += amount.amount
            known.closed = "captured" if final else known.closed
            before = 0 if payment.captured is None else payment.captured.amount
            payment.captured = Money(before + amount.amount, amount.currency)
        case PaymentRefunded():
            payment.refunds.append(_refund(event))
        case PaymentRefundSettled(refund_reference=reference):
            _set_state(payment.refunds, reference, "succeeded", None)
        case PaymentRefundFailed(refund_reference=reference, state=state, amount=amount):
            _set_state(payment.refunds, reference, state, amount.amount)
        case PaymentDisputed(amount=amount):
            known.disputed -= amount.amount
        case _:
            assert_never(event)


def _gateway_payment(payment: Payment, reference: str | None) -> GatewayPayment:
    """What is known of it; the last one where an event of number 1 names none."""
    known = payment.gateway_payments
    if reference is None and known:
        return known[-1]
    key = _key(reference or "")
    found = next((one for one in known if one.key == key), None)
    if found is None:
        found = GatewayPayment(key)
        known.append(found)
    return found


def _key(reference: str) -> str:
    """Tells the gateway's names apart without showing them."""
    return hashlib.blake2b(reference.encode(), digest_size=6).hexdigest()


def _refund(event: PaymentRefunded) -> PaymentRefund:
    return PaymentRefund(
        amount=money(event.amount),
        state="pending" if event.pending else "succeeded",
        credit_note_id=event.credit_note_id,
        key=None if event.refund_reference is None else _key(event.refund_reference),
    )


def _set_state(refunds: Iterable[PaymentRefund], reference: str, state: str, amount: int | None) -> None:
    """One of number 1 has no name: the first of this amount gets it with its first news."""
    key = _key(reference)
    named = (one for one in refunds if one.key == key)
    nameless = (one for one in refunds if one.key is None and one.amount.amount == amount)
    if (found := next(named, None) or next(nameless, None)) is not None:
        found.key, found.state = key, state


def _sum_up(payment: Payment) -> None:
    known = payment.gateway_payments
    currency = next((one.currency for one in (payment.requested, payment.captured) if one), "")

    def total(amounts: Iterable[int]) -> Money | None:
        amount = sum(amounts)
        return Money(amount, currency) if amount else None

    payment.authorized = total(_held(one) for one in known)
    payment.refunded = total(
        one.amount.amount for one in payment.refunds if one.state not in _GAVE_NOTHING_BACK
    )
    payment.pending = total(one.amount.amount for one in payment.refunds if one.state in _ON_ITS_WAY)
    payment.disputed = total(one.disputed for one in known)


def _held(known: GatewayPayment) -> int:
    return 0 if known.closed else max(0, known.authorized - known.captured)


def _status(payment: Payment) -> str:
    known = payment.gateway_payments
    if payment.status == "not_needed":
        return "not_needed"
    if payment.captured is not None:
        return _status_taken(payment, payment.captured.amount)
    if payment.authorized is not None:
        return "authorized"
    if payment.decline_code is not None:
        return "declined"
    if known and all(one.closed for one in known):
        return "lapsed" if any(one.closed == "lapsed" for one in known) else "voided"
    waits = any(one.acting for one in known if one.closed is None)
    return "action_required" if waits else "pending"


def _status_taken(payment: Payment, captured: int) -> str:
    if payment.disputed is not None and payment.disputed.amount > 0:
        return "disputed"
    if payment.refunded is None:
        return "captured"
    return "refunded" if payment.refunded.amount >= captured else "partially_refunded"
