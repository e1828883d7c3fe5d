"""The log on PostgreSQL: every promise of EventLog, over one schema of one database."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import msgspec

from event_store.errors import AnotherLog, LogGap, LogUnreadable, StoreUnavailable
from event_store.library.postgres import StoredEvents
from event_store.limits import check_entries, check_not_negative, check_page
from event_store.postgres.append.connection import WriterConnection
from event_store.postgres.append.insert import InsertCall, VersionedEvent
from event_store.postgres.append.rows import CommandCall
from event_store.postgres.append.writer import Call, Writer, WriterThread
from event_store.postgres.connections import READER_ROLE, Connections, unavailable_is_typed
from event_store.postgres.deliveries import PostgresDeliveries
from event_store.postgres.exclusive import PostgresExclusive, try_exclusive
from event_store.postgres.leases import LEASE_SECONDS, Holder, PostgresLeases, by_name, locks, open_leases
from event_store.postgres.migrations import check_schema, migrate
from event_store.postgres.progress import PostgresProgress
from event_store.postgres.wakeup import Listener, Waker
from event_store.records import (
    NO_VERSIONS,
    Checkpoint,
    Entry,
    JournalRow,
    Outcome,
    RecordedEvent,
    Snapshot,
)
from event_store.selection import Selection

JOURNAL_PAGES = 10_000  # of 8 kB, read by one statement
HEAD_SECONDS_MAX = 2.0  # One look at an index: who asks for it wants to know whether the server is there.
_END = 2**63 - 1


class PostgresLog(PostgresProgress, PostgresDeliveries):
    """See DeliveryLog; every call may be made from any thread."""

    def __init__(self, url: str, schema: str, *, read_only: bool, role: str = READER_ROLE) -> None:
        """Over a schema that is there and up to date: use `open`. Read-only, it comes as this role."""
        self._url = url
        self.schema = schema
        self._read_only = read_only
        self._role = role
        self._log_id: str | None = None  # of the first writing connection
        self._begin()
        _logs.add(self)

    def _begin(self) -> None:
        """Without connections and threads: at first, and in a forked child, as its parent uses those."""
        url, schema, read_only, role = self._url, self.schema, self._read_only, self._role
        self._closing = threading.Event()  # From then on nothing waits for the server any more.
        self._reading = Connections(url, schema, read_only=read_only, role=role, closing=self._closing)
        self.stored = StoredEvents(self._reading)
        self._listener = Listener(url, schema, read_only=read_only, role=role, closing=self._closing)
        self._waker = Waker(url, schema, closing=self._closing)
        self._opening = threading.Lock()
        self._writer_thread: WriterThread | None = None
        self._writers: dict[asyncio.AbstractEventLoop, Writer] = {}

    @classmethod
    def open(cls, url: str, *, schema: str = "daybook", read_only: bool = False) -> Self:
        """The log in this database, made or brought up to date where it is not.

        Read-only, nothing is made or written: SchemaMissing where there is no log, SchemaTooNew where
        newer code made it. StoreUnavailable when the server is away.
        """
        if read_only:
            check_schema(url, schema)
        else:
            migrate(url, schema)
        return cls(url, schema, read_only=read_only)

    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        check_entries(entries)
        if not entries:
            return []
        outcomes: list[Outcome] = self._write(CommandCall(entries))
        return outcomes

    async def append_async(self, entries: Sequence[Entry], *, session: int | None = None) -> list[Outcome]:
        check_entries(entries)
        if not entries:
            return []
        outcomes: list[Outcome] = await self._writer().submit(CommandCall(entries, session))
        return outcomes

    async def session_async(self) -> int:
        return await self._writer().session()

    def insert_events(
        self, events: Sequence[VersionedEvent], tracking: tuple[str, int] | None = None
    ) -> list[int] | None:
        """The library's way in: unique versions are all that is asked, and a tracking position that rises.

        The events' positions, or None when nothing was written because one of that does not hold.
        """
        positions: list[int] | None = self._write(InsertCall(events, tracking))
        return positions

    def read_all(
        self, *, after: int, limit: int, types: Collection[str] = (), up_to: int | None = None
    ) -> list[RecordedEvent]:
        check_page(after=after, limit=limit)
        page = {"after": after, "limit": limit, "up_to": _END if up_to is None else up_to}
        if types:
            return self._reading.rows(
                "events_after_of_types", page | {"types": list(types)}, make=RecordedEvent
            )
        events = self._reading.rows("events_after", page, make=RecordedEvent)
        self._check_gap(events, after=after, limit=limit, up_to=page["up_to"])
        return events

    def read_selected(
        self, selection: Selection, *, after: int, limit: int, up_to: int | None = None
    ) -> list[RecordedEvent]:
        check_page(after=after, limit=limit)
        wanted = {
            name: list(value) if isinstance(value, frozenset) else value
            for name, value in msgspec.structs.asdict(selection).items()
        }
        query = "events_selected" if selection.streams is None else "events_selected_of_streams"
        page = {"after": after, "limit": limit, "up_to": _END if up_to is None else up_to}
        events: list[RecordedEvent] = self._reading.rows(query, wanted | page, make=RecordedEvent)
        if events and events[0].position <= after:
            raise LogGap(f"a version of {events[0].stream} is missing")
        return events

    def position_before(self, moment: datetime) -> int:
        return self._number("position_before", moment=moment)

    def read_positions(self, positions: Collection[int]) -> list[RecordedEvent]:
        return self._reading.rows("events_at", {"positions": list(positions)}, make=RecordedEvent)

    def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        check_not_negative(after_version=after_version, limit=limit)
        return self._reading.rows(
            "stream_events",
            {"stream": stream, "after_version": after_version, "limit": limit},
            make=RecordedEvent,
        )

    def read_streams(
        self, streams: Sequence[str], *, after: Mapping[str, int] = NO_VERSIONS
    ) -> dict[str, list[RecordedEvent]]:
        found: dict[str, list[RecordedEvent]] = {stream: [] for stream in streams}
        if found:
            parameters = {"streams": list(found), "after": [after.get(stream, 0) for stream in found]}
            for event in self._reading.rows("streams_events", parameters, make=RecordedEvent):
                found[event.stream].append(event)
        return found

    def snapshots(self, shapes: Mapping[str, str]) -> dict[str, Snapshot]:
        parameters = {"streams": list(shapes), "shapes": list(shapes.values())}
        rows: list[Snapshot] = self._reading.rows("snapshots", parameters, make=Snapshot) if shapes else []
        return {snapshot.stream: snapshot for snapshot in rows}

    def log_id(self) -> str:
        row = self._reading.row("log_id", {})
        if row is None:
            raise LogUnreadable("the log has lost its id")
        return str(row[0])

    def head(self) -> int:
        row = self._reading.row("head", {}, seconds_max=HEAD_SECONDS_MAX)
        assert row is not None
        return int(row[0])

    def journal_head(self) -> int:
        # Part by part, as no statement has time for the whole of a large journal.
        pages = self._number("journal_pages")
        parts = [{"first": first, "end": first + JOURNAL_PAGES} for first in range(0, pages, JOURNAL_PAGES)]
        return max((self._number("journal_head_in_pages", **part) for part in parts), default=0)

    def wait(self, *, after: int, timeout_seconds: float) -> int:
        until = time.monotonic() + timeout_seconds
        if (head := self._listener.head) > after:
            self._check_open()
            return head
        if timeout_seconds <= 0 or not self._listener.is_listening:
            head = self.head()
            if head > after or timeout_seconds <= 0:
                return head
        head = self._listener.wait(after=after, until=until)
        return head if head > after else self.head()

    def subject_keys(self, subjects: Collection[str]) -> dict[str, bytes]:
        return dict(self._reading.rows("subject_keys", {"subjects": list(subjects)})) if subjects else {}

    def journal_row(self, command_id: UUID) -> JournalRow | None:
        return self._journal([command_id]).get(command_id)

    def journal_rows(self, *, first_position: int, last_position: int) -> list[JournalRow]:
        return self._reading.rows(
            "journal_by_positions",
            {"first_position": first_position, "last_position": last_position},
            make=JournalRow,
        )

    def installation_secret(self) -> bytes:
        row = self._reading.row("installation_secret", {})
        if row is None:
            raise LogUnreadable("the installation has lost its secret")
        return bytes(row[0])

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self._reading.execute("save_snapshot", msgspec.structs.asdict(snapshot))

    def checkpoint(self, name: str) -> int:
        return self.tracked(name) or 0

    def save_checkpoint(self, name: str, position: int, *, seen: Checkpoint | None = None) -> None:
        place = {"name": name, "position": position}
        if seen is None:
            self._reading.execute("save_checkpoint", place)
        else:
            read = {"seen": seen.position, "event": seen.event}
            self._reading.execute("save_checkpoint_of_history", place | read)

    def next_number(self, name: str, *, above: int) -> int:
        row = self._reading.row("next_number", {"name": name, "above": above})
        assert row is not None
        return int(row[0])

    def try_exclusive(self, name: str) -> PostgresExclusive | None:
        self._check_open()
        return try_exclusive(self._url, self.schema, name, self._closing)

    def leases(self, *, lease_seconds: float = LEASE_SECONDS) -> PostgresLeases:
        """A session for what several processes share out; a process that stands still longer loses it."""
        self._check_open()
        return open_leases(self._url, self.schema, self._closing, lease_seconds=lease_seconds)

    def holders(self, names: Collection[str]) -> Mapping[str, list[Holder]]:
        """Who holds each of these locks; nothing under a name that nobody holds. StoreUnavailable."""
        return by_name(self._reading.rows("lock_holders", dict(locks(self.schema, names))))

    def close(self) -> None:
        self._closing.set()
        self._listener.close()
        with self._opening:
            if self._writer_thread is not None:
                self._writer_thread.close()
            for writer in self._writers.values():
                writer.close()
        self._waker.close()
        self._reading.close()

    def _write(self, call: Call) -> Any:
        if self._writer_thread is None:
            with self._opening:
                self._check_open()
                if self._writer_thread is None:
                    self._writer_thread = WriterThread(self._new_writer)
        return self._writer_thread.call(call)

    def _writer(self) -> Writer:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        writer = self._writers.get(loop)
        if writer is None:
            with self._opening:
                self._check_open()
                for ended in [one for one in self._writers if one.is_closed()]:
                    self._writers.pop(ended).close()
                writer = self._writers[loop] = self._new_writer(loop)
        return writer

    def _new_writer(self, loop: asyncio.AbstractEventLoop) -> Writer:
        return Writer(self._new_writer_connection, self._journal, self._waker.notify, loop)

    def _new_writer_connection(self) -> WriterConnection:
        self._check_open()
        with unavailable_is_typed:
            connection = WriterConnection(
                self._url, self.schema, read_only=self._read_only, closing=self._closing
            )
        self._log_id = self._log_id or connection.log_id
        if connection.log_id != self._log_id:
            # Keys, hashes and states of the one are nothing to the other: only a process begun anew has none.
            connection.close()
            raise AnotherLog(f"this process began with the log {self._log_id}; here is {connection.log_id}")
        self._reading.renew()  # What is decided from now on is not read over connections of before.
        return connection

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise StoreUnavailable("this log is closed")

    def _number(self, query: str, **parameters: Any) -> int:
        row = self._reading.row(query, parameters)
        assert row is not None
        return int(row[0])

    def _journal(self, command_ids: list[UUID]) -> dict[UUID, JournalRow]:
        rows: list[JournalRow] = self._reading.rows("journal_by_id", {"ids": command_ids}, make=JournalRow)
        return {row.command_id: row for row in rows}

    def _check_gap(self, events: list[RecordedEvent], *, after: int, limit: int, up_to: int) -> None:
        """LogGap unless the positions follow each other from `after` on."""
        last = events[-1].position if events else after
        if last - after != len(events):
            expected = (position for position in range(after + 1, last + 1))
            missing = next(p for p, event in zip(expected, events, strict=False) if event.position != p)
            raise LogGap(f"position {missing} is missing")
        if len(events) < limit and last < up_to < _END:
            # The range's own end may be what is missing: then something stands beyond it.
            row = self._reading.row("next_position", {"after": last})
            if row is not None and row[0] is not None and row[0] != last + 1:
                raise LogGap(f"position {last + 1} is missing")


_logs: weakref.WeakSet[PostgresLog] = weakref.WeakSet()


def _begin_anew() -> None:
    for log in _logs:
        if not log._closing.is_set():
            log._begin()


os.register_at_fork(after_in_child=_begin_anew)
