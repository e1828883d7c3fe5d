"""Expiry of reservations: an order whose payment is undecided when its time is over is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import structlog

from aggregates.inventory.events import ReservationConfirmed, ReservationReleased, StockReserved
from commands.handlers.payments import ExpireOrder
from commands.processes.kind import CHECKPOINT_BEFORE_KINDS, Change, Closed, Due, Opened
from event_store.records import EventLog, RecordedEvent

log_lines = structlog.get_logger("commands.processes")


class ReservationExpiry:
    """See ProcessKind. All units of an order are reserved, and confirmed or released, together."""

    name = "reservation_expiry"
    event_names = (
        "inventory.stock_reserved",
        "inventory.reservation_confirmed",
        "inventory.reservation_released",
    )
    at_once_max = 32
    round_seconds = 0.2  # nobody waits for it to hear that an order was paid in time

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def starts_at(self, log: EventLog) -> int:
        """Where all before it is done: whatever was ever reserved is owed an end."""
        return log.checkpoint(CHECKPOINT_BEFORE_KINDS)

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """One timer an order."""
        match event:
            case StockReserved(order_id=order_id, expires_at=expires_at):
                yield Opened(order_id, due_at=expires_at)
            case ReservationConfirmed(order_id=order_id) | ReservationReleased(order_id=order_id):
                yield Closed(order_id)

    async def do(self, due: Due) -> ExpireOrder:
        """Gives the order up as of the moment that was read, however often the clock changes its mind.

        Asked again, as of that later moment: the order may have waited for the gateway.
        """
        reserved: StockReserved = due.event
        log_lines.info("reservation_over", order_id=reserved.order_id, trace_id=due.recorded.correlation)
        return ExpireOrder(order_id=reserved.order_id, now=max(due.now, self._clock()))
