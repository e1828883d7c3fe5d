"""Deliveries of events to endpoints outside: what is still to be sent, and every attempt at it.

Rows beside the log and no part of it. An endpoint's cursor says how far the log was looked at for it; it
moves in one step with the deliveries that were found, so that a kill between the two skips nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from event_store.records import Checkpoint, EventLog, RecordedEvent

DeliveryState = Literal["pending", "delivered", "failed"]


class DeliveryCursor(msgspec.Struct, frozen=True):
    """How far the log was looked at for an endpoint.

    `version`: of its last turn that was taken in (registered, enabled, a replay), by its stream.
    `failing_since` (UTC): of the first attempt of all that failed since one succeeded last; None: none has.
    """

    position: int
    event: str  # RecordedEvent.identity
    version: int
    failing_since: datetime | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The place in the log, and what stands there."""
        return Checkpoint(self.position, self.event)


class Delivery(msgspec.Struct, frozen=True):
    """One event for one endpoint. `attempts`: so far, since it is to be sent (again)."""

    endpoint: str
    position: int
    stream: str
    type: str
    event: str  # RecordedEvent.identity
    state: DeliveryState
    attempts: int
    due_at: datetime  # UTC, of the next attempt
    ended_at: datetime | None = None  # UTC


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at a delivery. `outcome` is one word; `status` the response's, None without one."""

    position: int
    at: datetime  # UTC
    milliseconds: int
    outcome: str
    status: int | None
    detail: str  # how the response begins, or what went wrong


class DeliveryStore(Protocol):
    """Every call may be made from any thread, and may raise StoreUnavailable."""

    def delivery_cursor(self, endpoint: str) -> DeliveryCursor | None:
        """None before the endpoint's first turn."""

    def begin_deliveries(self, endpoint: str, *, version: int, at: Checkpoint | None, now: datetime) -> None:
        """Takes in a turn, where it is a later one than the cursor's: what is pending is due at once, as if
        it was never tried, and the log is looked at again from `at` on. None: from where the cursor stands.

        A cursor moves back so, or out of another history; never forward. What is pending beyond it is
        dropped, as it is going to be found again.
        """

    def queue_deliveries(
        self,
        endpoint: str,
        *,
        version: int,
        after: Checkpoint,
        to: Checkpoint,
        events: Sequence[RecordedEvent],
        now: datetime,
    ) -> bool:
        """Moves the cursor, and notes these events, found on the way, as pending; sent ones once more.

        False where the cursor stands elsewhere or had another turn: then nothing was written.
        """

    def pending_deliveries(self, endpoint: str) -> list[Delivery]:
        """By position."""

    def note_attempt(
        self, delivery: Delivery, attempt: Attempt, *, state: DeliveryState, due_at: datetime
    ) -> bool:
        """Writes an attempt down, and what the delivery is after it.

        False where another has written the same attempt, or dropped the delivery: then nothing was written.
        """

    def listed_deliveries(
        self, endpoint: str, *, before: int | None = None, state: DeliveryState | None = None, limit: int
    ) -> list[Delivery]:
        """The latest positions first, below `before`."""

    def attempts(self, endpoint: str, positions: Collection[int]) -> list[Attempt]:
        """Every attempt that is kept, in the order of time."""

    def pending_count(self, endpoint: str) -> int:
        """Deliveries to come, of those that were found so far."""

    def forget_endpoints(self, kept: Collection[str]) -> None:
        """Drops cursors, deliveries and attempts of all other endpoints."""

    def prune_deliveries(self, before: datetime) -> int:
        """Drops deliveries that ended, and attempts that were made, before then; some of them, at most 10,000
        of each. How many."""


class DeliveryLog(EventLog, DeliveryStore, Protocol):
    """The log, and what is sent of it."""
