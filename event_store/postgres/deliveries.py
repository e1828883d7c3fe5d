"""Deliveries in the log's database: see DeliveryStore."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from event_store.deliveries import Attempt, Delivery, DeliveryCursor, DeliveryState
from event_store.limits import is_storable
from event_store.postgres.connections import Connections
from event_store.records import Checkpoint, RecordedEvent

_END = 2**63 - 1
NOTHING: Mapping[str, object] = {}


class PostgresDeliveries:
    """The part of the log's store that is about deliveries."""

    _reading: Connections

    def delivery_cursor(self, endpoint: str) -> DeliveryCursor | None:
        found: list[DeliveryCursor] = self._rows_of(endpoint, "delivery_cursor", make=DeliveryCursor)
        return found[0] if found else None

    def begin_deliveries(self, endpoint: str, *, version: int, at: Checkpoint | None, now: datetime) -> None:
        place = (
            {"position": None, "event": None} if at is None else {"position": at.position, "event": at.event}
        )
        turn = {"endpoint": endpoint, "version": version, "now": now}
        self._reading.execute("begin_deliveries", turn | place)

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
        cursor = {"endpoint": endpoint, "version": version, "now": now}
        cursor |= {"after": after.position, "after_event": after.event}
        cursor |= {"to": to.position, "to_event": to.event}
        found = {
            "positions": [event.position for event in events],
            "streams": [event.stream for event in events],
            "types": [event.type for event in events],
            "events": [event.identity for event in events],
        }
        row = self._reading.row("queue_deliveries", cursor | found)
        return row is not None and row[0] == 1

    def pending_deliveries(self, endpoint: str) -> list[Delivery]:
        return self._rows_of(endpoint, "pending_deliveries", make=Delivery)

    def note_attempt(
        self, delivery: Delivery, attempt: Attempt, *, state: DeliveryState, due_at: datetime
    ) -> bool:
        noted = {
            "endpoint": delivery.endpoint,
            "position": delivery.position,
            "event": delivery.event,
            "attempts": delivery.attempts,
            "state": state,
            "due_at": due_at,
            "at": attempt.at,
            "milliseconds": attempt.milliseconds,
            "outcome": attempt.outcome,
            "status": attempt.status,
            "detail": attempt.detail,
        }
        row = self._reading.row("note_attempt", noted)
        return row is not None and row[0] == 1

    def listed_deliveries(
        self, endpoint: str, *, before: int | None = None, state: DeliveryState | None = None, limit: int
    ) -> list[Delivery]:
        page = {"before": _END if before is None else before, "limit": limit}
        if state is None:
            return self._rows_of(endpoint, "listed_deliveries", page, make=Delivery)
        return self._rows_of(endpoint, "listed_deliveries_of_state", page | {"state": state}, make=Delivery)

    def attempts(self, endpoint: str, positions: Collection[int]) -> list[Attempt]:
        return self._rows_of(endpoint, "delivery_attempts", {"positions": list(positions)}, make=Attempt)

    def pending_count(self, endpoint: str) -> int:
        found: list[tuple[int]] = self._rows_of(endpoint, "pending_count", make=tuple)
        return found[0][0] if found else 0

    def forget_endpoints(self, kept: Collection[str]) -> None:
        self._reading.execute("forget_endpoints", {"kept": list(kept)})

    def prune_deliveries(self, before: datetime) -> int:
        row = self._reading.row("prune_deliveries", {"before": before})
        return 0 if row is None else int(row[0])

    def _rows_of(
        self, endpoint: str, query: str, more: Mapping[str, object] = NOTHING, *, make: type
    ) -> list[Any]:
        if not is_storable(endpoint):
            return []
        return self._reading.rows(query, {"endpoint": endpoint, **more}, make=make)
