"""Money taken was authorized or paid elsewhere, and no more goes back than was taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aggregates.kernel import Money, OrderId
from aggregates.payments.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
)
from event_store.records import RecordedEvent
from replays.verification.findings import Report, at


@dataclass(slots=True)
class PaymentBook:
    """Sums of an order's payment, in minor units."""

    requested: int = 0
    authorized: int = 0
    voided: int = 0
    captured: int = 0  # by the gateway
    paid_elsewhere: int = 0
    refunded: int = 0


class PaymentsCheck:
    """No sum exceeds what it is taken from.

    authorized ≤ requested; captured by the gateway ≤ authorized; captured + voided ≤ requested (an
    authorization that comes too late is voided at once); taken in all ≤ the order's total; refunded ≤ taken.
    """

    def __init__(self, report: Report, total_of: Callable[[OrderId], Money | None]) -> None:
        self._report = report
        self._total_of = total_of
        self._payments: dict[OrderId, PaymentBook] = {}

    def see(self, recorded: RecordedEvent, event: PaymentEvent) -> None:
        """Adds the event's amount to the payment's sums, and holds them against each other."""
        payment = self._payments.get(event.order_id)
        if payment is None:
            payment = self._payments[event.order_id] = PaymentBook()
        if isinstance(event, PaymentNotNeeded):
            total = self._total_of(event.order_id)
            if total is None or total.amount:
                self._report(at(recorded, "payment", f"not needed, for an order of {total}"))
            return
        if not _add(payment, event):
            return  # Declined, or waiting for the shopper: no amount.
        total = self._total_of(event.order_id)
        amount: Money = event.amount  # type: ignore[union-attr]  # what `_add` counts has one
        if amount.amount < 0:
            self._report(at(recorded, "payment", f"an amount below zero: {amount}"))
        if total is None:
            self._report(at(recorded, "payment", "nobody placed the order that it pays for"))
        elif total.currency != amount.currency:
            self._report(at(recorded, "payment", f"{amount} for an order in {total.currency}"))
        for wrong in _contradictions(payment, None if total is None else total.amount):
            self._report(at(recorded, "payment", wrong))


def _add(payment: PaymentBook, event: PaymentEvent) -> bool:
    match event:
        case PaymentRequested(amount=amount):
            payment.requested += amount.amount
        case PaymentAuthorized(amount=amount):
            payment.authorized += amount.amount
        case PaymentVoided(amount=amount):
            payment.voided += amount.amount
        case PaymentCaptured(amount=amount, source="gateway"):
            payment.captured += amount.amount
        case PaymentCaptured(amount=amount):
            payment.paid_elsewhere += amount.amount
        case PaymentRefunded(amount=amount):
            payment.refunded += amount.amount
        case _:
            return False
    return True


def _contradictions(payment: PaymentBook, total: int | None) -> list[str]:
    taken = payment.captured + payment.paid_elsewhere
    wrong = []
    if payment.authorized > payment.requested:
        wrong.append(f"{payment.authorized} authorized of {payment.requested} requested")
    if payment.captured > payment.authorized:
        wrong.append(f"{payment.captured} captured of {payment.authorized} authorized")
    if payment.captured + payment.voided > payment.requested:
        wrong.append(
            f"{payment.captured} captured and {payment.voided} voided of {payment.requested} requested"
        )
    if total is not None and taken > total:
        wrong.append(f"{taken} taken for an order of {total}")
    if payment.refunded > taken:
        wrong.append(f"{payment.refunded} refunded of {taken} taken")
    return wrong
