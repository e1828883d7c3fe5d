"""The log in memory, for tests: the same promises as PostgresLog, in one process and gone with it."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID, uuid4

from event_store.errors import StoreUnavailable
from event_store.limits import check_entries, check_not_negative, check_page
from event_store.memory.deliveries import MemoryDeliveries
from event_store.memory.progress import MemoryProgress
from event_store.records import (
    NO_VERSIONS,
    Appended,
    Checkpoint,
    Entry,
    JournalRow,
    KeyReused,
    Moved,
    Outcome,
    RecordedEvent,
    Replayed,
    Snapshot,
)
from event_store.selection import Selection

KEY_LASTS = timedelta(hours=24)


def utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryLog(MemoryProgress, MemoryDeliveries):
    """See DeliveryLog. `clock` gives recorded_at, and the age of keys."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._events: list[RecordedEvent] = []
        self._streams: dict[str, list[RecordedEvent]] = {}
        self._journal: dict[UUID, JournalRow] = {}
        self._keys: dict[bytes, JournalRow] = {}
        self._subject_keys: dict[str, bytes] = {}
        self._id = str(uuid4())
        self._checkpoints: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._open_work = {}
        self._tried = {}
        self._retries = {}
        self._checkpoint_events = {}
        self._cursors = {}
        self._deliveries = {}
        self._attempts = {}
        self._snapshots: dict[tuple[str, str], Snapshot] = {}  # by stream and shape
        self._exclusives: set[str] = set()
        self._secret = os.urandom(32)
        self._closed = False

    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        check_entries(entries)
        with self._open():
            now = max(self._clock(), self._events[-1].recorded_at) if self._events else self._clock()
            fell: set[UUID] = set()
            outcomes: list[Outcome] = []
            for entry in entries:
                outcome = self._refusal(entry, now, fell) or self._write(entry, now)
                if not isinstance(outcome, Appended):
                    fell.add(entry.command_id)
                outcomes.append(outcome)
            self._changed.notify_all()
            return outcomes

    async def append_async(self, entries: Sequence[Entry], *, session: int | None = None) -> list[Outcome]:
        return self.append(entries)

    async def session_async(self) -> int:
        return 1

    def read_all(
        self, *, after: int, limit: int, types: Collection[str] = (), up_to: int | None = None
    ) -> list[RecordedEvent]:
        check_page(after=after, limit=limit)
        with self._open():
            if not types:
                return self._events[after : min(after + limit, len(self._events) if up_to is None else up_to)]
            return [event for event in self._events[after:up_to] if event.type in types][:limit]

    def read_selected(
        self, selection: Selection, *, after: int, limit: int, up_to: int | None = None
    ) -> list[RecordedEvent]:
        check_page(after=after, limit=limit)
        with self._open():
            return list(islice(filter(selection.matches, self._events[after:up_to]), limit))

    def position_before(self, moment: datetime) -> int:
        with self._open():
            return bisect_left(self._events, moment, key=lambda event: event.recorded_at)

    def read_positions(self, positions: Collection[int]) -> list[RecordedEvent]:
        with self._open():
            there = sorted({position for position in positions if 0 < position <= len(self._events)})
            return [self._events[position - 1] for position in there]

    def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        check_not_negative(after_version=after_version, limit=limit)
        with self._open():
            return self._streams.get(stream, [])[after_version:][:limit]

    def read_streams(
        self, streams: Sequence[str], *, after: Mapping[str, int] = NO_VERSIONS
    ) -> dict[str, list[RecordedEvent]]:
        with self._open():
            return {s: self.read_stream(s, after_version=after.get(s, 0)) for s in streams}

    def snapshots(self, shapes: Mapping[str, str]) -> dict[str, Snapshot]:
        with self._open():
            found = (self._snapshots.get((stream, shape)) for stream, shape in shapes.items())
            return {snapshot.stream: snapshot for snapshot in found if snapshot is not None}

    def log_id(self) -> str:
        return self._id

    def head(self) -> int:
        with self._open():
            return len(self._events)

    def journal_head(self) -> int:
        return self.head()

    def wait(self, *, after: int, timeout_seconds: float) -> int:
        with self._open():
            self._changed.wait_for(lambda: len(self._events) > after or self._closed, timeout_seconds)
            return self.head()

    def subject_keys(self, subjects: Collection[str]) -> dict[str, bytes]:
        with self._open():
            return {s: self._subject_keys[s] for s in subjects if s in self._subject_keys}

    def journal_row(self, command_id: UUID) -> JournalRow | None:
        with self._open():
            return self._journal.get(command_id)

    def journal_rows(self, *, first_position: int, last_position: int) -> list[JournalRow]:
        with self._open():
            commands = dict.fromkeys(e.command_id for e in self._events[first_position - 1 : last_position])
            return [self._journal[command_id] for command_id in commands]

    def installation_secret(self) -> bytes:
        return self._secret

    def save_snapshot(self, snapshot: Snapshot) -> None:
        with self._open():
            last = self.read_stream(snapshot.stream, after_version=snapshot.version - 1, limit=1)
            if not last or last[0].identity != snapshot.event:
                return
            older = [k for k, s in self._snapshots.items() if s.stream == snapshot.stream]
            if all(self._snapshots[k].version <= snapshot.version for k in older):
                for k in older:
                    del self._snapshots[k]
                self._snapshots[snapshot.stream, snapshot.shape] = snapshot

    def checkpoint(self, name: str) -> int:
        with self._open():
            return self._checkpoints.get(name, 0)

    def save_checkpoint(self, name: str, position: int, *, seen: Checkpoint | None = None) -> None:
        with self._open():
            if seen is not None:
                found = self._events[seen.position - 1 : seen.position]
                if [event.identity for event in found] != [seen.event]:
                    return
            self._checkpoints[name] = max(position, self.checkpoint(name))

    def next_number(self, name: str, *, above: int) -> int:
        with self._open():
            number = self._numbers[name] = max(self._numbers.get(name, 0), above) + 1
            return number

    def try_exclusive(self, name: str) -> MemoryExclusive | None:
        with self._open():
            if name in self._exclusives:
                return None
            self._exclusives.add(name)
            return MemoryExclusive(name, self._exclusives)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _open(self) -> threading.Condition:
        if self._closed:
            raise StoreUnavailable("this log is closed")
        return self._changed

    def _refusal(self, entry: Entry, now: datetime, fell: set[UUID]) -> Outcome | None:
        """Why the entry cannot be written now, or None."""
        earlier = self._journal.get(entry.command_id)
        if earlier is None and entry.key is not None:
            earlier = self._row_of_key(entry.key, now)
        if earlier is not None:
            return Replayed(earlier) if earlier.request_hash == entry.request_hash else KeyReused()
        mate_fell = not fell.isdisjoint(entry.decided_on)
        streams = tuple(s for s, v in entry.reads.items() if mate_fell or self._version(s) != v)
        subjects = (
            *(s for s, k in entry.new_subject_keys.items() if self._subject_keys.get(s, k) != k),
            *(s for s, k in entry.subject_keys.items() if self._subject_keys.get(s) != k),
        )
        return Moved(streams, subjects) if mate_fell or streams or subjects else None

    def _row_of_key(self, key: bytes, now: datetime) -> JournalRow | None:
        row = self._keys.get(key)
        return row if row is not None and row.recorded_at > now - KEY_LASTS else None

    def _write(self, entry: Entry, now: datetime) -> Appended:
        head = len(self._events)
        for event in entry.events:
            recorded = RecordedEvent(
                position=len(self._events) + 1,
                stream=event.stream,
                version=self._version(event.stream) + 1,
                type=event.type,
                schema_number=event.schema_number,
                data=event.data,
                command_id=entry.command_id,
                correlation=entry.correlation,
                causation=entry.causation,
                actor=entry.actor,
                recorded_at=now,
                valid_at=entry.valid_at or now,
            )
            self._events.append(recorded)
            self._streams.setdefault(event.stream, []).append(recorded)
        self._subject_keys.update(entry.new_subject_keys)
        appended = Appended(
            head + 1 if entry.events else None, len(self._events) if entry.events else None, now
        )
        self._note(entry, appended)
        return appended

    def _note(self, entry: Entry, appended: Appended) -> None:
        row = JournalRow(
            command_id=entry.command_id,
            name=entry.name,
            verdict=entry.verdict,
            actor=entry.actor,
            channel=entry.channel,
            arguments=entry.arguments,
            answer=entry.answer,
            key=entry.key,
            request_hash=entry.request_hash,
            correlation=entry.correlation,
            causation=entry.causation,
            first_position=appended.first_position,
            last_position=appended.last_position,
            recorded_at=appended.recorded_at,
        )
        self._journal[entry.command_id] = row
        if entry.key is not None and entry.verdict != "refused":
            self._keys[entry.key] = row

    def _version(self, stream: str) -> int:
        return len(self._streams.get(stream, ()))


@dataclass
class MemoryExclusive:
    """A held name."""

    _name: str
    _all: set[str]
    _held: bool = field(default=True)

    def still_held(self) -> bool:
        return self._held and self._name in self._all

    def release(self) -> None:
        if self._held:
            self._held = False
            self._all.discard(self._name)
