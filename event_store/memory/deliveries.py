"""Deliveries in memory: see DeliveryStore."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from event_store.deliveries import Attempt, Delivery, DeliveryCursor, DeliveryState
from event_store.records import START, Checkpoint, RecordedEvent

_END = 2**63 - 1
_AT_ONCE_MAX = 10_000


class MemoryDeliveries(ABC):
    """The part of the log in memory that is about deliveries."""

    _cursors: dict[str, DeliveryCursor]
    _deliveries: dict[tuple[str, int], Delivery]
    _attempts: dict[str, list[Attempt]]

    @abstractmethod
    def _open(self) -> threading.Condition:
        """The lock of all there is. StoreUnavailable once it is closed."""

    @abstractmethod
    def _stands(self, position: int, event: str | None) -> bool:
        """Whether the log has this event."""

    def delivery_cursor(self, endpoint: str) -> DeliveryCursor | None:
        with self._open():
            return self._cursors.get(endpoint)

    def begin_deliveries(self, endpoint: str, *, version: int, at: Checkpoint | None, now: datetime) -> None:
        with self._open():
            cursor = self._cursors.get(endpoint)
            if cursor is not None and cursor.version >= version:
                return
            place = at or START
            if cursor is not None:
                stands = cursor.position == 0 or self._stands(cursor.position, cursor.event)
                if at is None or (cursor.position <= at.position and stands):
                    place = cursor.checkpoint
            self._cursors[endpoint] = DeliveryCursor(place.position, place.event, version)
            for delivery in self.pending_deliveries(endpoint):
                key = endpoint, delivery.position
                if delivery.position > place.position:
                    del self._deliveries[key]
                else:
                    self._deliveries[key] = msgspec.structs.replace(delivery, attempts=0, due_at=now)

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
        with self._open():
            cursor = self._cursors.get(endpoint)
            if cursor is None or cursor.version != version or cursor.checkpoint != after:
                return False
            self._cursors[endpoint] = msgspec.structs.replace(cursor, position=to.position, event=to.event)
            for event in events:
                self._deliveries[endpoint, event.position] = Delivery(
                    endpoint, event.position, event.stream, event.type, event.identity, "pending", 0, now
                )
            return True

    def pending_deliveries(self, endpoint: str) -> list[Delivery]:
        with self._open():
            return [one for one in self._of(endpoint) if one.state == "pending"]

    def note_attempt(
        self, delivery: Delivery, attempt: Attempt, *, state: DeliveryState, due_at: datetime
    ) -> bool:
        with self._open():
            key = delivery.endpoint, delivery.position
            stands = self._deliveries.get(key)
            if stands is None or stands.state != "pending" or stands.event != delivery.event:
                return False
            if stands.attempts != delivery.attempts:
                return False
            self._deliveries[key] = msgspec.structs.replace(
                stands,
                state=state,
                attempts=stands.attempts + 1,
                due_at=due_at,
                ended_at=None if state == "pending" else attempt.at,
            )
            self._attempts.setdefault(delivery.endpoint, []).append(attempt)
            if (cursor := self._cursors.get(delivery.endpoint)) is not None:
                since = None if state == "delivered" else cursor.failing_since or attempt.at
                self._cursors[delivery.endpoint] = msgspec.structs.replace(cursor, failing_since=since)
            return True

    def listed_deliveries(
        self, endpoint: str, *, before: int | None = None, state: DeliveryState | None = None, limit: int
    ) -> list[Delivery]:
        with self._open():
            below = _END if before is None else before
            found = [one for one in self._of(endpoint) if one.position < below and state in {None, one.state}]
            return found[::-1][:limit]

    def attempts(self, endpoint: str, positions: Collection[int]) -> list[Attempt]:
        with self._open():
            found = [one for one in self._attempts.get(endpoint, ()) if one.position in positions]
            return sorted(found, key=lambda attempt: (attempt.position, attempt.at))

    def pending_count(self, endpoint: str) -> int:
        return len(self.pending_deliveries(endpoint))

    def forget_endpoints(self, kept: Collection[str]) -> None:
        with self._open():
            self._cursors = {name: one for name, one in self._cursors.items() if name in kept}
            self._attempts = {name: one for name, one in self._attempts.items() if name in kept}
            self._deliveries = {key: one for key, one in self._deliveries.items() if key[0] in kept}

    def prune_deliveries(self, before: datetime) -> int:
        with self._open():
            old = [
                key
                for key, one in self._deliveries.items()
                if one.ended_at is not None and one.ended_at < before
            ][:_AT_ONCE_MAX]
            for key in old:
                del self._deliveries[key]
            dropped = 0
            for name, attempts in self._attempts.items():
                self._attempts[name] = [one for one in attempts if one.at >= before]
                dropped += len(attempts) - len(self._attempts[name])
            return len(old) + dropped

    def _of(self, endpoint: str) -> list[Delivery]:
        """By position."""
        found = [one for (name, _), one in self._deliveries.items() if name == endpoint]
        return sorted(found, key=lambda delivery: delivery.position)
