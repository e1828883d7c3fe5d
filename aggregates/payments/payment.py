"""An order's payment: asked for, promised, taken, given back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, assert_never

from aggregates.kernel import Money, OrderId, Reason, Rejected, StreamKind
from aggregates.payments.events import (
    ActionRequired,
    CaptureWhen,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRequested,
    PaymentSource,
    PaymentVoided,
)

PaymentStatus = Literal[
    "unknown",
    "pending",
    "action_required",
    "authorized",
    "captured",
    "declined",
    "voided",
    "not_needed",
    "partially_refunded",
    "refunded",
]


@dataclass(slots=True)
class Payment:
    """Amounts are None until there is one; `phase` is the status but for refunds."""

    phase: PaymentStatus = "unknown"
    method: str | None = None
    capture: CaptureWhen = "fulfilment"
    amount: Money | None = None  # asked for
    authorized: Money | None = None
    captured: Money | None = None
    refunded_amount: int = 0  # minor units
    source: PaymentSource | None = None  # who took it
    gateway_reference: str | None = None
    refunds: set[str] = field(default_factory=set)  # credit note ids

    @property
    def status(self) -> PaymentStatus:
        """The status that the customer sees."""
        if self.captured is not None and self.refunded_amount:
            return "refunded" if self.refunded_amount >= self.captured.amount else "partially_refunded"
        return self.phase


@dataclass(frozen=True, slots=True)
class PaymentNotPossible(Reason):
    """The payment is not at a point where this can be done"""

    order_id: OrderId
    step: str
    payment_status: str


@dataclass(frozen=True, slots=True)
class PaymentMethodNeeded(Reason):
    """The order costs something, and nothing says how it is paid"""

    about: ClassVar = "payment"
    order_id: OrderId
    total: Money


@dataclass(frozen=True, slots=True)
class RefundOverCapture(Reason):
    """More than was taken and not yet given back"""

    order_id: OrderId
    asked: Money
    remaining: Money


def initial() -> Payment:
    """No payment has been asked for."""
    return Payment()


def evolve(payment: Payment, event: PaymentEvent) -> Payment:
    """The payment after the event; changes it in place."""
    match event:
        case PaymentRequested(method=method, amount=amount, capture=capture):
            payment.phase = "pending"
            payment.method = method
            payment.amount = amount
            payment.capture = capture
        case PaymentNotNeeded():
            payment.phase = "not_needed"
        case PaymentAuthorized(amount=amount, gateway_reference=reference):
            payment.phase = "authorized"
            payment.authorized = amount
            payment.gateway_reference = reference
        case ActionRequired(gateway_reference=reference):
            payment.phase = "action_required"
            payment.gateway_reference = reference
        case PaymentDeclined():
            payment.phase = "declined"
        case PaymentVoided():
            payment.phase = "voided"
        case PaymentCaptured(amount=amount, source=source):
            payment.phase = "captured"
            payment.captured = amount
            payment.source = source
        case PaymentRefunded(amount=amount, credit_note_id=credit_note_id):
            payment.refunded_amount += amount.amount
            if credit_note_id is not None:
                payment.refunds.add(credit_note_id)
        case _:
            assert_never(event)
    return payment


stream = StreamKind("payment", initial, evolve)


def request(
    payment: Payment, *, order_id: OrderId, method: str | None, amount: Money, capture: CaptureWhen
) -> tuple[PaymentEvent, ...]:
    """Asks for the order to be paid by `method`; `capture` is when the money is taken.

    What costs nothing is asked of nobody, and needs no method.
    """
    if payment.phase != "unknown":
        return ()
    if amount.amount == 0:
        return (PaymentNotNeeded(order_id=order_id),)
    if method is None:
        raise Rejected(PaymentMethodNeeded(order_id=order_id, total=amount))
    return (PaymentRequested(order_id=order_id, method=method, amount=amount, capture=capture),)


def authorize(
    payment: Payment, *, order_id: OrderId, amount: Money, gateway_reference: str
) -> tuple[PaymentEvent, ...]:
    """The bank holds the amount."""
    if payment.authorized is not None and payment.gateway_reference == gateway_reference:
        return ()
    _allow(payment, order_id, "authorize", "pending", "action_required")
    return (PaymentAuthorized(order_id=order_id, amount=amount, gateway_reference=gateway_reference),)


def require_action(
    payment: Payment, *, order_id: OrderId, gateway_reference: str
) -> tuple[PaymentEvent, ...]:
    """The bank wants to hear from the shopper first."""
    if payment.gateway_reference == gateway_reference:
        return ()
    _allow(payment, order_id, "require_action", "pending")
    return (ActionRequired(order_id=order_id, gateway_reference=gateway_reference),)


def decline(payment: Payment, *, order_id: OrderId, code: str) -> tuple[PaymentEvent, ...]:
    """The bank declined."""
    if payment.phase == "declined":
        return ()
    _allow(payment, order_id, "decline", "pending", "action_required")
    return (PaymentDeclined(order_id=order_id, code=code),)


def void(payment: Payment, *, order_id: OrderId) -> tuple[PaymentEvent, ...]:
    """The hold, or the wait for the shopper, was given up before anything was taken."""
    if payment.phase == "voided":
        return ()
    _allow(payment, order_id, "void", "authorized", "action_required")
    amount = payment.authorized or payment.amount
    assert amount is not None
    return (PaymentVoided(order_id=order_id, amount=amount),)


def capture(
    payment: Payment, *, order_id: OrderId, amount: Money, source: PaymentSource
) -> tuple[PaymentEvent, ...]:
    """The money is ours: taken from what was authorized, or paid elsewhere without our asking.

    Of an order that costs nothing, nothing is ever taken.
    """
    if payment.captured is not None or payment.phase == "not_needed":
        return ()
    if amount.amount == 0 and payment.phase == "unknown":
        return (PaymentNotNeeded(order_id=order_id),)
    _allow(payment, order_id, "capture", "authorized" if source == "gateway" else "unknown")
    return (PaymentCaptured(order_id=order_id, amount=amount, source=source),)


def refund(
    payment: Payment, *, order_id: OrderId, amount: Money, credit_note_id: str | None
) -> tuple[PaymentEvent, ...]:
    """Money went back, once per credit note; without one, a canceled sale was undone."""
    if credit_note_id is not None and credit_note_id in payment.refunds:
        return ()
    if payment.captured is None:
        raise Rejected(PaymentNotPossible(order_id=order_id, step="refund", payment_status=payment.status))
    if amount > (remaining := left(payment)):
        raise Rejected(RefundOverCapture(order_id=order_id, asked=amount, remaining=remaining))
    return (PaymentRefunded(order_id=order_id, amount=amount, credit_note_id=credit_note_id),)


def left(payment: Payment) -> Money:
    """What was taken and has not gone back; only of a payment that was captured."""
    assert payment.captured is not None
    return Money(payment.captured.amount - payment.refunded_amount, payment.captured.currency)


def _allow(payment: Payment, order_id: OrderId, step: str, *phases: PaymentStatus) -> None:
    if payment.phase not in phases:
        raise Rejected(PaymentNotPossible(order_id=order_id, step=step, payment_status=payment.status))
