"""Holds a log against what was sent to it, what was answered, and what was seen while it was written.

    history = History()
    with Follower(log) as follower:
        history.append(writing, entry)   # as often as one likes, from any thread
    history.check(log, follower)

Positions and versions are contiguous, nothing is seen after something higher, every acknowledged command is
there exactly once, every refused one not at all, one whose answer was lost wholly or not at all, and
recorded_at never runs backwards.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from types import TracebackType
from typing import Self
from uuid import UUID

from event_store.errors import StoreUnavailable
from event_store.records import Appended, Entry, EventLog, EventReader, Outcome, RecordedEvent, Replayed

PAGE = 500


class History:
    """What was sent, and the last answer to each."""

    def __init__(self) -> None:
        self.sent: dict[UUID, Entry] = {}
        self.answers: dict[UUID, Outcome] = {}
        self.lost = 0  # calls without an answer
        self._mutex = threading.Lock()

    def append(self, log: EventLog, *entries: Entry) -> list[Outcome] | None:
        """The outcomes; None where there was no answer, so that nobody knows."""
        with self._mutex:
            self.sent.update({entry.command_id: entry for entry in entries})
        try:
            outcomes = log.append(entries)
        except StoreUnavailable:
            with self._mutex:
                self.lost += 1
            return None
        with self._mutex:
            self.answers.update(zip([entry.command_id for entry in entries], outcomes, strict=True))
        return outcomes

    def check(self, log: EventReader, *followers: Follower) -> list[RecordedEvent]:
        """AssertionError for whatever does not hold; the whole log."""
        events = whole_log(log)
        check_order(events)
        assert log.head() == len(events)
        assert log.journal_head() == len(events)
        for follower in followers:
            # Nothing that somebody saw was taken back or changed.
            assert follower.seen == events[: len(follower.seen)]
        by_command: dict[UUID, list[RecordedEvent]] = defaultdict(list)
        for event in events:
            by_command[event.command_id].append(event)
        assert by_command.keys() <= self.sent.keys(), "events that nobody sent"
        for command_id, entry in self.sent.items():
            self._check_command(log, entry, by_command.get(command_id, []))
        return events

    def _check_command(self, log: EventReader, entry: Entry, events: list[RecordedEvent]) -> None:
        answer, row = self.answers.get(entry.command_id), log.journal_row(entry.command_id)
        of_another = isinstance(answer, Replayed) and answer.row.command_id != entry.command_id
        there = (
            row is not None if answer is None else isinstance(answer, Appended | Replayed) and not of_another
        )
        if not there:
            assert (row, events) == (None, []), f"refused, and yet there: {entry.command_id}"
            return
        assert row is not None, f"acknowledged, and not there: {entry.command_id}"
        assert row.verdict == entry.verdict
        written = [(event.stream, event.type, event.data) for event in events]
        assert written == [(event.stream, event.type, event.data) for event in entry.events]
        positions = [event.position for event in events]
        first, last = (positions[0], positions[-1]) if positions else (None, None)
        assert (row.first_position, row.last_position) == (first, last)
        assert positions == list(range(first or 1, (last or 0) + 1))
        known = (
            answer if isinstance(answer, Appended) else answer.row if isinstance(answer, Replayed) else row
        )
        assert (known.first_position, known.last_position, known.recorded_at) == (
            first,
            last,
            row.recorded_at,
        )


def whole_log(log: EventReader) -> list[RecordedEvent]:
    """Page by page."""
    events: list[RecordedEvent] = []
    while page := log.read_all(after=len(events), limit=PAGE):
        events += page
    return events


def check_order(events: list[RecordedEvent]) -> None:
    """What must be so of any log from its first event on."""
    versions: dict[str, int] = {}
    for position, event in enumerate(events, 1):
        assert event.position == position, f"position {event.position} where {position} must follow"
        version = versions.get(event.stream, 0) + 1
        assert event.version == version, (
            f"{event.stream}: version {event.version} where {version} must follow"
        )
        versions[event.stream] = version
        if position > 1:
            before = events[position - 2].recorded_at
            assert event.recorded_at >= before, f"recorded_at runs backwards at {position}"


class Follower:
    """Reads the log while it is written, as a projection would; a server that is away is waited for."""

    def __init__(self, log: EventReader) -> None:
        self._log = log
        self.seen: list[RecordedEvent] = []
        self.failure: BaseException | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Reads to the end first."""
        self._done.set()
        self._thread.join()
        if self.failure is not None and error is None:
            raise self.failure

    def _run(self) -> None:
        try:
            while True:
                ending = self._done.is_set()
                try:
                    self._look()
                except StoreUnavailable:
                    ending = False
                if ending:
                    return
                self._done.wait(0.005)
        except BaseException as error:
            self.failure = error

    def _look(self) -> None:
        while True:
            # The head first: everything up to it must be there by the time that it is known.
            head = self._log.head()
            page = self._log.read_all(after=len(self.seen), limit=PAGE)
            for event in page:
                assert event.position == len(self.seen) + 1, f"{event.position} after {len(self.seen)}"
                self.seen.append(event)
            assert len(self.seen) >= head or len(page) == PAGE, f"{head} was there, {len(self.seen)} was read"
            if len(page) < PAGE:
                return
