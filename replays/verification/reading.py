"""Reading a log that may be damaged: page by page, past whatever is missing or cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from event_store.errors import LogGap, LogUnreadable
from event_store.records import EventReader, JournalRow, RecordedEvent
from replays.verification.findings import Finding

PAGE = 5_000
UNREADABLE_MAX = 1_000  # rows, each of them looked for by halving

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Events that follow each other, and the journal's rows of their commands, or why it cannot be read.

    The row of the command that wrote the last event of the page before is among them.
    """

    events: list[RecordedEvent]
    journal: list[JournalRow] | LogUnreadable


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each read in a thread while the one before it is worked on."""
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def pages(log: EventReader, *, head: int, known_types: Collection[str]) -> Iterator[Page | Finding]:
    """Every event up to `head`, in order; what is missing or cannot be read is a finding and passed over.

    Raises LogUnreadable where nothing can be read at all.
    """
    last_read = 1
    log.read_all(after=head, limit=1)  # Reads nothing, from the table that all is read from.
    after, unreadable = 0, 0
    while after < head:
        page = _contiguous(log, after=after, up_to=min(after + PAGE, head))
        if page is None:
            page = _up_to_the_gap(log, after=after, up_to=min(after + PAGE, head))
        if page:
            after = page[-1].position
            yield Page(page, _journal(log, last_read, after))
            last_read = after
        if len(page) == 0 and (reason := _unreadable(log, after + 1)) is not None:
            unreadable += 1
            if unreadable > UNREADABLE_MAX:
                raise LogUnreadable(f"so many rows cannot be read that those after {after} were left out")
            yield Finding(rule="position", wrong=f"it cannot be read: {reason}", position=after + 1)
            after += 1
        elif len(page) == 0:
            following = _next_position(log, after=after, head=head, known_types=known_types)
            missing = f"{after + 1}" if following == after + 2 else f"{after + 1} to {following - 1}"
            yield Finding(rule="position", wrong=f"nothing stands at {missing}", position=after + 1)
            after = following - 1


def _journal(log: EventReader, first: int, last: int) -> list[JournalRow] | LogUnreadable:
    try:
        return log.journal_rows(first_position=first, last_position=last)
    except LogUnreadable as error:
        return error


def _contiguous(log: EventReader, *, after: int, up_to: int) -> list[RecordedEvent] | None:
    """The events after `after` up to and including `up_to`; None where not every one is there, or legible."""
    try:
        page = log.read_all(after=after, limit=up_to - after, up_to=up_to)
    except (LogGap, LogUnreadable):
        return None
    return page if len(page) == up_to - after else None


def _up_to_the_gap(log: EventReader, *, after: int, up_to: int) -> list[RecordedEvent]:
    """The events before the first missing position, found by halving; [] where that is the next one."""
    found: list[RecordedEvent] = []
    there, missing = after, up_to  # Everything up to `there` is there; up to `missing`, not everything.
    while missing - there > 1:
        middle = (there + missing) // 2
        page = _contiguous(log, after=there, up_to=middle)
        if page is None:
            missing = middle
        else:
            found += page
            there = middle
    return found


def _next_position(log: EventReader, *, after: int, head: int, known_types: Collection[str]) -> int:
    """The first position above `after` that an event of a known type stands at; past the head if none does.

    A reading by types makes no promise about gaps, so it passes over them.
    """
    try:
        found = log.read_all(after=after, limit=1, types=known_types, up_to=head)
    except LogUnreadable:
        return after + 2
    return found[0].position if found else head + 1


def _unreadable(log: EventReader, position: int) -> str | None:
    """Why the event at this position cannot be read; None where it can be, or is missing."""
    try:
        log.read_all(after=position - 1, limit=1, up_to=position)
    except LogUnreadable as error:
        return str(error)
    except LogGap:
        pass
    return None
