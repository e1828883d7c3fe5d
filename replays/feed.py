"""Reading the log as it grows: a page at a time, and waiting for more without a thread for each who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from event_store.records import EventReader, RecordedEvent

LOOKED_AT_MAX = 50_000
"""Positions that one reading by types may pass over, so that a rare type cannot hold the server up."""

WAIT_SECONDS = 1.0
"""The longest a waiter sleeps before it looks around: a shutdown is noticed within this time."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events, the last position that was looked at for them, and the head at that time."""

    events: list[RecordedEvent]
    next: int
    head: int


def read_page(log: EventReader, *, after: int, limit: int, types: Collection[str] = ()) -> FeedPage:
    """Up to `limit` events above `after`; `next` is `after` itself when there is nothing new.

    With `types`, fewer than `limit` does not mean the end: `next` below `head` says that there is more
    to look at. Raises StoreUnavailable, LogGap.
    """
    head = log.head()
    if after >= head:
        return FeedPage(events=[], next=after, head=head)
    up_to = min(head, after + LOOKED_AT_MAX) if types else head
    events = log.read_all(after=after, limit=limit, types=types, up_to=up_to)
    return FeedPage(events=events, next=events[-1].position if len(events) == limit else up_to, head=head)


class HeadWatch:
    """Waits for the log's head to move, for any number of coroutines of one loop, in one thread."""

    def __init__(self, log: EventReader) -> None:
        self._log = log
        self._after = 0
        self._wait: asyncio.Task[int] | None = None

    async def wait(self, *, after: int) -> int:
        """The head, at once if it is known to be above `after`, else when it moves or in a second.

        Raises StoreUnavailable.
        """
        if self._wait is None or self._wait.done():
            self._after = after
            self._wait = asyncio.create_task(
                asyncio.to_thread(self._log.wait, after=after, timeout_seconds=WAIT_SECONDS)
            )
            self._wait.add_done_callback(_retrieve)
        elif after < self._after:
            return self._after  # Whoever is waiting has seen that much already.
        return await asyncio.shield(self._wait)


def _retrieve(wait: asyncio.Task[int]) -> None:
    """Marks a failure as seen where all who waited have gone meanwhile."""
    if not wait.cancelled():
        wait.exception()
