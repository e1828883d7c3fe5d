"""Entries in few words."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg

from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, EventLog, NewEvent, Outcome
from tests.waiting import SECONDS_MAX

ADDED = "cart.item_added"


def event(stream: str, data: bytes = b"{}", name: str = ADDED, number: int = 1) -> NewEvent:
    return NewEvent(stream, name, number, data)


def entry(reads: Mapping[str, int], *writes: str, **other: Any) -> Entry:
    """Reads these versions and writes an event to each of these streams, in order."""
    chosen: dict[str, Any] = {
        "command_id": uuid4(),
        "name": "add_item",
        "verdict": "accepted" if writes else "unchanged",
        "actor": "anonymous:",
        "channel": "web",
        "events": [event(stream, b'{"n":%d}' % n) for n, stream in enumerate(writes, 1)],
    }
    return Entry(reads=reads, **(chosen | other))


def adding(stream: str, version: int = 0, **other: Any) -> Entry:
    """One event after this version."""
    return entry({stream: version}, stream, **other)


def keyed(key: bytes, request: bytes = b"r", **other: Any) -> Mapping[str, Any]:
    return {"key": key.ljust(32, b"-"), "request_hash": request.ljust(32, b"-"), **other}


def positions(outcomes: Sequence[Outcome]) -> list[int | None]:
    """The first positions; fails for what was not appended."""
    return [_appended(outcome).first_position for outcome in outcomes]


def append(log: EventLog, *entries: Entry) -> list[Outcome]:
    return log.append(entries)


def written(log: EventLog) -> list[tuple[int, str, int]]:
    """Position, stream and version of the whole log."""
    return [(e.position, e.stream, e.version) for e in log.read_all(after=0, limit=10_000)]


def command_ids(log: EventLog) -> list[UUID]:
    return [e.command_id for e in log.read_all(after=0, limit=10_000)]


def _appended(outcome: Outcome) -> Appended:
    assert isinstance(outcome, Appended), outcome
    return outcome


class LoopDoor:
    """The same log, appended to from an event loop, as servers do; called from any thread like a log."""

    def __init__(self, log: PostgresLog) -> None:
        self._log = log
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop door", daemon=True)
        self._thread.start()

    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        return asyncio.run_coroutine_threadsafe(self._log.append_async(entries), self._loop).result(20)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def close(self) -> None:
        """The log and the loop."""
        self._log.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def until_someone_waits(sql: psycopg.Connection) -> None:
    """Until an append waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = 'daybook' AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + SECONDS_MAX
    while sql.execute(waiting).fetchone() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        sql.execute("SELECT pg_stat_clear_snapshot()")  # What a transaction saw, it sees again.


async def until_submitted() -> None:
    """Until the loop's writer has sent, or queued, the calls of tasks that were just made."""
    for _ in range(3):
        await asyncio.sleep(0)
