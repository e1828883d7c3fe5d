"""What each payment event does to the payment that an order shows."""

from __future__ import annotations

from typing import assert_never

from aggregates.payments.events import (
    ActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
)
from projections.documents.shapes import Money, Payment
from projections.views.amounts import money


def evolve(payment: Payment, event: PaymentEvent) -> None:
    """Changes the payment in place; its statuses are those of the aggregate."""
    match event:
        case PaymentRequested(method=method):
            payment.status = "pending"
            payment.method = method
        case PaymentNotNeeded():
            payment.status = "not_needed"
        case PaymentAuthorized():
            payment.status = "authorized"
        case ActionRequired():
            payment.status = "action_required"
        case PaymentDeclined(code=code):
            payment.status = "declined"
            payment.decline_code = code
        case PaymentVoided():
            payment.status = "voided"
        case PaymentCaptured(amount=amount):
            payment.captured = money(amount)
            payment.status = "captured"
        case PaymentRefunded(amount=amount):
            before = 0 if payment.refunded is None else payment.refunded.amount
            payment.refunded = Money(before + amount.amount, amount.currency)
        case _:
            assert_never(event)
    if payment.captured is not None and payment.refunded is not None:
        everything = payment.refunded.amount >= payment.captured.amount
        payment.status = "refunded" if everything else "partially_refunded"
