"""Reading the log as it grows, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass

from event_store.errors import AnotherHistory
from event_store.history import checkpoint_at, has
from event_store.records import Checkpoint, RecordedEvent
from event_store.selection import ALL, Selection, SelectiveReader

LOOKED_AT_MAX = 50_000
"""Positions that one reading may look at in vain, so that what is rare cannot hold the server up."""

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
    end: int  # beyond it there was nothing to look for: the head, or less where the selection ends before
    seen: Checkpoint | None = None  # what stands at `next`


def read_page(
    log: SelectiveReader,
    *,
    after: int,
    limit: int,
    selection: Selection = ALL,
    up_to: int | None = None,
    seen: Checkpoint | None = None,
) -> FeedPage:
    """Up to `limit` events above `after`; `next` is `after` itself when there is nothing new.

    With a selection, fewer than `limit` does not mean the end: `next` below `end` says that there is more to
    look at. Given what was `seen` at `after`, raises AnotherHistory where something else stands there now.
    Raises BeyondHead, StoreUnavailable, LogGap.
    """
    head = log.head()
    if after > head:
        raise BeyondHead(after, head)
    begin, end = _range(log, selection, after, head if up_to is None else min(head, up_to))
    last = end
    if selection != ALL and selection.streams is None:
        last = min(end, begin + LOOKED_AT_MAX)
    events: list[RecordedEvent] = []
    if begin < last:
        events = _read(log, selection, begin, last, limit)
        if len(events) == limit:
            last = events[-1].position
    # After the reading, so that what was read is of the history that was seen.
    if seen is not None and not has(log, seen):
        raise AnotherHistory(f"position {seen.position} has another event now")
    return FeedPage(events, last, head, end, _place(log, last, events, seen))


def _range(log: SelectiveReader, selection: Selection, after: int, end: int) -> tuple[int, int]:
    """Above which position something selected may stand, and up to which."""
    begin = after
    if selection.recorded_from is not None:
        begin = max(begin, min(end, log.position_before(selection.recorded_from)))
    if selection.recorded_to is not None:
        end = min(end, log.position_before(selection.recorded_to))
    return begin, max(begin, end)


def _read(
    log: SelectiveReader, selection: Selection, after: int, up_to: int, limit: int
) -> list[RecordedEvent]:
    if selection == ALL:  # So that a missing position is noticed.
        return log.read_all(after=after, limit=limit, up_to=up_to)
    return log.read_selected(selection, after=after, limit=limit, up_to=up_to)


def _place(
    log: SelectiveReader, position: int, events: list[RecordedEvent], seen: Checkpoint | None
) -> Checkpoint | None:
    if events and events[-1].position == position:
        return events[-1].checkpoint
    if seen is not None and seen.position == position:
        return seen
    return checkpoint_at(log, position)
