"""An order's payment: asked for, promised, taken, given back, disputed.

What the gateway knows is joined, payment by payment (an order may be paid in a second attempt), and all that
follows is read off the joined amounts, never off the last event.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, assert_never

from aggregates.kernel import Money, OrderId, Reason, Rejected, StreamKind
from aggregates.payments.events import (
    ActionRequired,
    CaptureWhen,
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
from aggregates.payments.standing import DisputeMove, RefundStanding, RefundState, Standing

PaymentStatus = Literal[
    "unknown",
    "pending",
    "action_required",
    "authorized",
    "captured",
    "declined",
    "voided",
    "lapsed",
    "disputed",
    "not_needed",
    "partially_refunded",
    "refunded",
]

UNNAMED = "unnamed "
"""Begins what we call a refund that was stored without the gateway's name for it."""


@dataclass(slots=True)
class Payment:
    """Amounts in minor units of `amount`'s currency."""

    method: str | None = None
    capture: CaptureWhen = "fulfilment"
    amount: Money | None = None  # asked of the gateway; None where it has no part in it
    not_needed: bool = False
    declined: bool = False
    standings: dict[str, Standing] = field(default_factory=dict)  # by the gateway's reference, oldest first
    paid_elsewhere: Money | None = None  # before it came to us, or by credit alone
    returned_elsewhere: int = 0
    credit_notes: set[str] = field(default_factory=set)  # refunded under, elsewhere

    @property
    def captured(self) -> int:
        """All that was ever taken."""
        elsewhere = 0 if self.paid_elsewhere is None else self.paid_elsewhere.amount
        return elsewhere + sum(one.captured for one in self.standings.values())

    @property
    def held(self) -> int:
        """What banks hold for us now."""
        return sum(one.held for one in self.standings.values())

    @property
    def promised(self) -> int:
        """What was taken, or can still be."""
        return self.captured + self.held

    @property
    def returned(self) -> int:
        """What went back, or is on its way."""
        return self.returned_elsewhere + sum(one.returned for one in self.standings.values())

    @property
    def disputed(self) -> int:
        """What disputes took and did not give back."""
        return sum(one.disputed for one in self.standings.values())

    @property
    def left(self) -> int:
        """What was taken and is still ours."""
        return self.captured - self.returned - self.disputed

    @property
    def open(self) -> list[Standing]:
        """The gateway's payments that can still bring money."""
        return [one for one in self.standings.values() if one.open]

    @property
    def currency(self) -> str:
        """That it was asked for in."""
        return "" if self.amount is None else self.amount.currency

    def known(self, reference: str) -> Standing:
        """What is known of a payment of the gateway's, be it nothing."""
        return self.standings.get(reference) or Standing(reference=reference, currency=self.currency)

    @property
    def status(self) -> PaymentStatus:
        """What the customer is shown."""
        if self.not_needed:
            return "not_needed"
        if self.captured:
            return self._status_taken()
        if self.held:
            return "authorized"
        if self.declined:
            return "declined"
        return self._status_before()

    def _status_before(self) -> PaymentStatus:
        if self.standings and not self.open:
            lapsed = any(one.closed == "lapsed" for one in self.standings.values())
            return "lapsed" if lapsed else "voided"
        if any(one.acting for one in self.open):
            return "action_required"
        return "unknown" if self.amount is None else "pending"

    def _status_taken(self) -> PaymentStatus:
        if self.disputed > 0:
            return "disputed"
        if self.returned > 0:
            return "refunded" if self.returned >= self.captured else "partially_refunded"
        return "captured"


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
            payment.method = method
            payment.amount = amount
            payment.capture = capture
        case PaymentNotNeeded():
            payment.not_needed = True
        case PaymentDeclined():
            payment.declined = True
        case PaymentCaptured(amount=amount, source="elsewhere" | "credit"):
            payment.paid_elsewhere = amount
        case PaymentRefunded(amount=amount, credit_note_id=note, gateway_reference=None) if (
            payment.paid_elsewhere is not None
        ):
            payment.returned_elsewhere += amount.amount
            if note is not None:
                payment.credit_notes.add(note)
        case _:
            _learn(payment, event)
    return payment


def _learn(payment: Payment, event: StandingEvent) -> None:
    """Changes what is known of the gateway's payment that the event is about."""
    # What was stored as number 1 names none: it is about the last.
    known = payment.known(event.gateway_reference or next(reversed(payment.standings)))
    match event:
        case PaymentAuthorized(amount=amount, capture_before=before, in_parts=in_parts):
            known = replace(known, authorized=amount.amount, capture_before=before, in_parts=in_parts)
        case ActionRequired():
            known = replace(known, acting=True)
        case PaymentAttemptFailed(code=code):
            known = replace(known, failed=code)
        case PaymentVoided(cause=cause):
            known = replace(known, closed=cause)
        case PaymentCaptured(amount=amount, final=final):
            known = replace(
                known,
                captured=known.captured + amount.amount,
                closed="captured" if final else known.closed,
            )
        case PaymentRefunded() | PaymentRefundSettled() | PaymentRefundFailed():
            known = replace(known, refunds=_refunds_after(known.refunds, event))
        case PaymentDisputed(amount=amount, fee=fee, dispute=dispute, transaction=transaction):
            move = DisputeMove(transaction=transaction, dispute=dispute, amount=amount.amount, fee=fee.amount)
            known = replace(known, moves=(*known.moves, move))
        case _:
            assert_never(event)
    payment.standings[known.reference] = known


def _refunds_after(
    refunds: tuple[RefundStanding, ...], event: PaymentRefunded | PaymentRefundSettled | PaymentRefundFailed
) -> tuple[RefundStanding, ...]:
    match event:
        case PaymentRefunded():
            made = RefundStanding(
                reference=event.refund_reference or f"{UNNAMED}{len(refunds) + 1}",
                amount=event.amount.amount,
                state="pending" if event.pending else "succeeded",
                credit_note_id=event.credit_note_id,
                step=event.step,
            )
            return (*refunds, made)
        case PaymentRefundSettled(refund_reference=reference):
            return _with_state(refunds, reference, "succeeded")
        case PaymentRefundFailed(refund_reference=reference, state=state, amount=amount):
            if not any(one.reference == reference for one in refunds):
                refunds = _named(refunds, reference, amount.amount)
            return _with_state(refunds, reference, state)
        case _:
            assert_never(event)


def _with_state(
    refunds: tuple[RefundStanding, ...], reference: str, state: RefundState
) -> tuple[RefundStanding, ...]:
    return tuple(replace(one, state=state) if one.reference == reference else one for one in refunds)


def _named(refunds: tuple[RefundStanding, ...], reference: str, amount: int) -> tuple[RefundStanding, ...]:
    """With the gateway's name for the first of this amount that was stored without one."""
    for at, one in enumerate(refunds):
        if one.reference.startswith(UNNAMED) and one.amount == amount:
            return (*refunds[:at], replace(one, reference=reference), *refunds[at + 1 :])
    return refunds


stream = StreamKind("payment", initial, evolve)


def request(
    payment: Payment,
    *,
    order_id: OrderId,
    method: str | None,
    amount: Money,
    capture: CaptureWhen,
    credit: Money | None = None,
) -> tuple[PaymentEvent, ...]:
    """Asks for the card's part, `amount`, to be paid by `method`; `capture` says when the money is taken.

    What costs nothing is asked of nobody, and needs no method; nor does what `credit` pays all of.
    """
    if payment.status != "unknown":
        return ()
    credit = credit or Money(0, amount.currency)
    if amount.amount == 0 and credit.amount:
        return (PaymentCaptured(order_id=order_id, amount=credit, source="credit"),)
    if amount.amount == 0:
        return (PaymentNotNeeded(order_id=order_id),)
    if method is None:
        raise Rejected(PaymentMethodNeeded(order_id=order_id, total=amount))
    return (
        PaymentRequested(order_id=order_id, method=method, amount=amount, credit=credit, capture=capture),
    )


def decline(payment: Payment, *, order_id: OrderId, code: str) -> tuple[PaymentEvent, ...]:
    """No further attempt is waited for."""
    if payment.declined:
        return ()
    if payment.amount is None or payment.promised:
        raise Rejected(_not_possible(payment, order_id, "decline"))
    return (PaymentDeclined(order_id=order_id, code=code),)


def capture_elsewhere(payment: Payment, *, order_id: OrderId, amount: Money) -> tuple[PaymentEvent, ...]:
    """It was paid without our asking. Of an order that costs nothing, nothing is ever taken."""
    if payment.captured or payment.not_needed:
        return ()
    if payment.status != "unknown":
        raise Rejected(_not_possible(payment, order_id, "capture"))
    if amount.amount == 0:
        return (PaymentNotNeeded(order_id=order_id),)
    return (PaymentCaptured(order_id=order_id, amount=amount, source="elsewhere"),)


def refund_elsewhere(
    payment: Payment, *, order_id: OrderId, amount: Money, credit_note_id: str | None
) -> tuple[PaymentEvent, ...]:
    """What no gateway took went back, once per credit note; without one, a canceled sale was undone."""
    if credit_note_id is not None and credit_note_id in payment.credit_notes:
        return ()
    if payment.paid_elsewhere is None:
        raise Rejected(_not_possible(payment, order_id, "refund"))
    if amount > (remaining := Money(payment.left, payment.paid_elsewhere.currency)):
        raise Rejected(RefundOverCapture(order_id=order_id, asked=amount, remaining=remaining))
    return (PaymentRefunded(order_id=order_id, amount=amount, credit_note_id=credit_note_id),)


def _not_possible(payment: Payment, order_id: OrderId, step: str) -> PaymentNotPossible:
    return PaymentNotPossible(order_id=order_id, step=step, payment_status=payment.status)
