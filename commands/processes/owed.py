"""What waits for an operator, as open work: opened and closed by what an order owes, done by no process.

So the list is there without reading the log, and counted by what it waits for: the work's number.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from aggregates.payments.events import OwedChanged
from commands.processes.kind import Change, Closed, Due, NotYet, Opened
from event_store.records import EventLog, RecordedEvent

TO_SHOP, TO_CUSTOMER, STUCK, CONCERN = ASPECTS = range(1, 5)
NAMES = {TO_SHOP: "to_shop", TO_CUSTOMER: "to_customer", STUCK: "stuck", CONCERN: "concern"}

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""When it is due: a person does it when they like."""


class Owed:
    """See ProcessKind. The queue is the order's id."""

    name = "owed"
    event_names = ("payments.owed_changed",)
    at_once_max = 1
    round_seconds = 0.2

    def starts_at(self, log: EventLog) -> int:
        """The log's start: what was ever owed is owed until an event ends that."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """All that the order leaves to be settled is opened anew, under the same position."""
        match event:
            case OwedChanged(order_id=order_id):
                left = {
                    TO_SHOP: event.to_shop.amount,
                    TO_CUSTOMER: event.to_customer.amount,
                    STUCK: event.stuck,
                    CONCERN: event.concerns,
                }
                for aspect, there in left.items():
                    yield Opened(order_id, aspect, NEVER) if there else Closed(order_id, aspect)

    async def do(self, due: Due) -> Any:
        """Nothing that a process could do."""
        raise NotYet("an operator does it")
