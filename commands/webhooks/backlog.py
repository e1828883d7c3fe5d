"""The pending deliveries of one endpoint, in the order in which they may be attempted."""

from __future__ import annotations

import heapq
from collections import deque
from datetime import datetime

from aggregates.webhooks.events import Ordering
from event_store.deliveries import Delivery


class Backlog:
    """Of each stream the first is attempted, the next once that has ended; without order, each by itself."""

    def __init__(self, ordering: Ordering) -> None:
        self._by_stream = ordering == "stream"
        self._waiting: dict[str | int, deque[Delivery]] = {}
        self._heap: list[tuple[datetime, int, str | int]] = []  # first of each; those under way are not in it
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, delivery: Delivery) -> None:
        """Takes in one that comes after all that are there."""
        key = self._key(delivery)
        waiting = self._waiting.setdefault(key, deque())
        waiting.append(delivery)
        self._count += 1
        if len(waiting) == 1:
            self._push(key, delivery)

    def take(self, now: datetime) -> Delivery | None:
        """One that is due; it is under way until `put_back` or `end`."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        return self._waiting[key][0]

    def put_back(self, delivery: Delivery) -> None:
        """It failed, and is due again as it says."""
        key = self._key(delivery)
        self._waiting[key][0] = delivery
        self._push(key, delivery)

    def end(self, delivery: Delivery) -> None:
        """Lets the next of its stream go."""
        key = self._key(delivery)
        waiting = self._waiting[key]
        waiting.popleft()
        self._count -= 1
        if waiting:
            self._push(key, waiting[0])
        else:
            del self._waiting[key]

    def next_due(self) -> datetime | None:
        """When `take` may give something; None while there is nothing, or all of it under way."""
        return self._heap[0][0] if self._heap else None

    def first_position(self) -> int | None:
        """Of all that are pending; None where nothing is."""
        return min((waiting[0].position for waiting in self._waiting.values()), default=None)

    def _key(self, delivery: Delivery) -> str | int:
        return delivery.stream if self._by_stream else delivery.position

    def _push(self, key: str | int, delivery: Delivery) -> None:
        heapq.heappush(self._heap, (delivery.due_at, delivery.position, key))
