"""Holds that lapse: a day before the bank lets go of money that nobody took, an operator is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from aggregates.payments.events import ConcernRaised, PaymentAuthorized, PaymentCaptured, PaymentVoided
from commands.handlers.payments import RaiseConcern
from commands.processes.kind import Change, Closed, Due, Opened
from event_store.records import EventLog, RecordedEvent

WARN_BEFORE = timedelta(hours=24)


class HoldExpiry:
    """See ProcessKind. One timer an order."""

    name = "hold_expiry"
    event_names = (
        "payments.payment_authorized",
        "payments.payment_captured",
        "payments.payment_voided",
        "payments.concern_raised",
    )
    at_once_max = 8
    round_seconds = 1.0

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def starts_at(self, log: EventLog) -> int:
        """The log's start: what is held was authorized some time before."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """Opened by a hold that says when it lapses."""
        match event:
            case PaymentAuthorized(order_id=order_id, capture_before=datetime() as lapses):
                yield Opened(order_id, due_at=lapses - WARN_BEFORE)
            case PaymentCaptured(order_id=order_id, final=True) | PaymentVoided(order_id=order_id):
                yield Closed(order_id)
            case ConcernRaised(order_id=order_id, concern="hold_lapses"):
                yield Closed(order_id)

    async def do(self, due: Due) -> RaiseConcern:
        """Puts the order on the operator's list."""
        held: PaymentAuthorized = due.event
        return RaiseConcern(order_id=held.order_id, concern="hold_lapses", on=self._clock().date())
