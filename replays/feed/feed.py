"""Reading the log as it grows, a page at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from event_store.errors import AnotherHistory
from event_store.history import checkpoint_at, has
from event_store.records import Checkpoint, EventReader, RecordedEvent

LOOKED_AT_MAX = 50_000
"""Positions that one reading by types may pass over, so that a rare type cannot hold the server up."""

WAIT_SECONDS = 1.0
"""The longest a waiter sleeps before it looks around: a shutdown is noticed within this time."""


class BeyondHead(Exception):  # noqa: N818
    """The client has read further than this log reaches: another one, or what it has lost since."""

    def __init__(self, after: int, head: int) -> None:
        super().__init__(f"The log ends at position {head}; there is nothing at {after}.")
        self.head = head


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events, the last position that was looked at for them, and the head at that time."""

    events: list[RecordedEvent]
    next: int
    head: int
    seen: Checkpoint | None = None  # what stands at `next`


def read_page(
    log: EventReader,
    *,
    after: int,
    limit: int,
    types: Collection[str] = (),
    seen: Checkpoint | None = None,
) -> FeedPage:
    """Up to `limit` events above `after`; `next` is `after` itself when there is nothing new.

    With `types`, fewer than `limit` does not mean the end: `next` below `head` says that there is more
    to look at. Given what was `seen` at `after`, raises AnotherHistory where something else stands there now.
    Raises BeyondHead, StoreUnavailable, LogGap.
    """
    head = log.head()
    if after > head:
        raise BeyondHead(after, head)
    events: list[RecordedEvent] = []
    following = after
    if after < head:
        up_to = min(head, after + LOOKED_AT_MAX) if types else head
        events = log.read_all(after=after, limit=limit, types=types, up_to=up_to)
        following = events[-1].position if len(events) == limit else up_to
    # After the reading, so that what was read is of the history that was seen.
    if seen is not None and not has(log, seen):
        raise AnotherHistory(f"position {seen.position} has another event now")
    return FeedPage(events, following, head, _place(log, following, events, seen))


def _place(
    log: EventReader, position: int, events: list[RecordedEvent], seen: Checkpoint | None
) -> Checkpoint | None:
    if events and events[-1].position == position:
        return events[-1].checkpoint
    if seen is not None and seen.position == position:
        return seen
    return checkpoint_at(log, position)
