"""A log that lost its last events and goes on with others: what was read before is not taken for what is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from event_store.errors import AnotherHistory
from event_store.history import LIMIT_MAX, checkpoint_at, has, read_on, read_types_on
from event_store.library.recorders import LogApplicationRecorder
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import migrate
from event_store.records import START, Appended, Checkpoint, EventLog, Moved, Snapshot
from tests.event_store.given import adding, append, entry, positions
from tests.waiting import SECONDS_MAX

SHAPE = "a shape"


@pytest.fixture
def lose(sql: psycopg.Connection) -> Callable[[int], None]:
    """Cuts off what lies above a position, as a backup of before does not have it."""

    def cut(above: int) -> None:
        sql.execute("DELETE FROM commands WHERE last_position > %s", [above])
        sql.execute("DELETE FROM events WHERE position > %s", [above])

    return cut


def test_an_event_is_known_by_the_same_identity_wherever_it_is_asked_for(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    append(postgres_log, adding("cart-ä"), adding("cart-b"))
    postgres_log.insert_events([("library-1", 7, "things.moved", b"{}")])
    rows = sql.execute(
        "SELECT event_identity(position, stream, version, command_id, recorded_at)"
        " FROM events ORDER BY position"
    ).fetchall()
    assert [identity for (identity,) in rows] == [
        event.identity for event in postgres_log.read_all(after=0, limit=10)
    ]


def test_another_event_at_the_same_place_has_another_identity(
    postgres_log: PostgresLog, lose: Callable[[int], None]
) -> None:
    identities = set()
    for _ in range(2):
        append(postgres_log, adding("cart-a"))
        identities.add(postgres_log.read_all(after=0, limit=1)[0].identity)
        lose(0)
        postgres_log.insert_events([("cart-a", 1, "things.moved", b"{}")])
        identities.add(postgres_log.read_all(after=0, limit=1)[0].identity)
        lose(0)
    assert len(identities) == 4


def test_a_log_has_an_id_of_its_own_that_stays(
    postgres_url: str, schema: str, postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    mine = postgres_log.log_id()
    with_reader = PostgresLog.open(postgres_url, schema=schema, read_only=True)
    assert with_reader.log_id() == mine
    with_reader.close()
    try:
        migrate(postgres_url, f"{schema}_b")
        other = PostgresLog.open(postgres_url, schema=f"{schema}_b")
        assert other.log_id() not in {mine, ""}
        other.close()
    finally:
        sql.execute(f"DROP SCHEMA {schema}_b CASCADE".encode())


def test_a_log_of_before_gets_an_id_by_the_migration(postgres_url: str, schema: str) -> None:
    migrate(postgres_url, schema, up_to=5)
    migrate(postgres_url, schema)
    log = PostgresLog.open(postgres_url, schema=schema)
    assert len(log.log_id()) == 36
    log.close()


def test_reading_goes_on_from_a_checkpoint_of_this_history_only(
    postgres_log: PostgresLog, lose: Callable[[int], None]
) -> None:
    for name in "abcd":
        append(postgres_log, adding(f"cart-{name}"))
    second, last = (checkpoint_at(postgres_log, position) for position in (2, 4))
    assert second is not None and last is not None
    assert [event.position for event in read_on(postgres_log, second, limit=1)] == [3]
    assert [event.position for event in read_on(postgres_log, START, limit=9)] == [1, 2, 3, 4]
    assert read_on(postgres_log, last, limit=LIMIT_MAX) == []

    lose(2)
    for added in range(4):  # The new history is shorter, as long, longer.
        assert has(postgres_log, second)
        assert not has(postgres_log, last)
        with pytest.raises(AnotherHistory):
            read_on(postgres_log, last, limit=9)
        assert len(read_on(postgres_log, second, limit=9)) == added
        append(postgres_log, adding(f"cart-other-{added}"))


def test_a_reader_of_another_history_saves_no_checkpoint(
    postgres_log: PostgresLog, lose: Callable[[int], None]
) -> None:
    for name in "abcd":
        append(postgres_log, adding(f"cart-{name}"))
    seen = checkpoint_at(postgres_log, 4)
    postgres_log.save_checkpoint("relay", 3, seen=seen)
    assert postgres_log.checkpoint("relay") == 3
    lose(2)
    assert postgres_log.checkpoint("relay") == 0, "it stood in another history"
    for name in "efg":
        append(postgres_log, adding(f"cart-{name}"))
    assert postgres_log.checkpoint("relay") == 0
    postgres_log.save_checkpoint("relay", 4, seen=seen)
    assert postgres_log.checkpoint("relay") == 0, "it woke late"
    postgres_log.save_checkpoint("relay", 2, seen=checkpoint_at(postgres_log, 5))
    assert postgres_log.checkpoint("relay") == 2
    postgres_log.save_checkpoint("relay", 1, seen=checkpoint_at(postgres_log, 5))
    assert postgres_log.checkpoint("relay") == 2, "never backwards"


def test_a_snapshot_of_another_history_is_neither_read_nor_saved(
    postgres_log: PostgresLog, lose: Callable[[int], None]
) -> None:
    append(postgres_log, adding("cart-a"), adding("cart-a", 1), adding("cart-a", 2))
    third = postgres_log.read_stream("cart-a")[2]
    old = Snapshot("cart-a", 3, SHAPE, b"old", third.identity)
    postgres_log.save_snapshot(old)
    assert postgres_log.snapshots({"cart-a": SHAPE}) == {"cart-a": old}

    lose(1)
    assert postgres_log.snapshots({"cart-a": SHAPE}) == {}
    append(postgres_log, adding("cart-a", 1), adding("cart-a", 2))
    assert postgres_log.snapshots({"cart-a": SHAPE}) == {}
    postgres_log.save_snapshot(old)
    assert postgres_log.snapshots({"cart-a": SHAPE}) == {}, "it woke late"
    second = postgres_log.read_stream("cart-a")[1]
    new = Snapshot("cart-a", 2, SHAPE, b"new", second.identity)
    postgres_log.save_snapshot(new)
    assert postgres_log.snapshots({"cart-a": SHAPE}) == {"cart-a": new}, "the lost one's version is no bar"


@pytest.mark.parametrize("made", [MemoryLog, None], ids=["memory", "postgres"])
def test_a_number_is_given_out_once(made: type[MemoryLog] | None, request: pytest.FixtureRequest) -> None:
    log: EventLog = made() if made else request.getfixturevalue("postgres_log")
    assert [log.next_number("view a", above=0) for _ in range(3)] == [1, 2, 3]
    assert log.next_number("view a", above=7) == 8
    assert log.next_number("view a", above=2) == 9
    assert log.next_number("view b", above=0) == 1


def test_what_was_decided_before_the_connection_was_lost_is_decided_anew(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    async def run() -> None:
        before = await postgres_log.session_async()
        (one,) = await postgres_log.append_async([adding("cart-a")], session=before)
        assert isinstance(one, Appended)
        sql.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND application_name = 'daybook'"
        )
        (stale,) = await postgres_log.append_async([entry({"cart-a": 1}, "cart-a")], session=before)
        assert stale == Moved(("cart-a",))
        after = await postgres_log.session_async()
        assert after != before
        again = await postgres_log.append_async([entry({"cart-a": 1}, "cart-a")], session=after)
        assert positions(again) == [2]

    asyncio.run(run())


class Counted:
    """The same function, and how often it was called."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.count = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.count += 1
        return self._call(*arguments, **named)


def test_a_subscription_of_the_library_ends_where_the_log_goes_on_otherwise(
    postgres_log: PostgresLog, lose: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (1, 2):
        postgres_log.insert_events([("library-1", version, "things.moved", b"{}")])
    waits = Counted(postgres_log.wait)
    monkeypatch.setattr(postgres_log, "wait", waits)
    monkeypatch.setattr("event_store.library.subscription._LOOK_SECONDS", 0.05)
    with LogApplicationRecorder(postgres_log, str).subscribe(gt=0) as subscription:
        assert [next(subscription).id for _ in range(2)] == [1, 2]
        so_far, deadline = waits.count, time.monotonic() + SECONDS_MAX
        while waits.count < so_far + 2:  # By the second it has noted what stands at the head.
            assert time.monotonic() < deadline
            time.sleep(0.01)
        lose(1)
        postgres_log.insert_events([("library-2", 1, "things.moved", b"{}")])
        with pytest.raises(AnotherHistory):
            next(subscription)


@pytest.mark.parametrize("span_small", [0, 200], ids=["in three statements", "in one"])
def test_events_of_some_types_are_read_on_in_this_history_only(
    postgres_log: PostgresLog, lose: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, span_small: int
) -> None:
    monkeypatch.setattr("event_store.history.SPAN_SMALL", span_small)
    types = ["things.moved"]
    for version in (1, 2, 3):
        append(postgres_log, adding("cart-a", version - 1))
        postgres_log.insert_events([("library-1", version, "things.moved", b"{}")])

    def read(after: Checkpoint, up_to: int, limit: int = 9) -> tuple[list[int], Checkpoint]:
        events, reached = read_types_on(postgres_log, after, types=types, limit=limit, up_to=up_to)
        return [event.position for event in events], reached

    third, fifth = (checkpoint_at(postgres_log, position) for position in (3, 5))
    assert third is not None and fifth is not None
    assert read(START, 5) == ([2, 4], fifth)
    assert read(third, 5) == ([4], fifth)
    assert read(START, 5, limit=1) == ([2], checkpoint_at(postgres_log, 2))
    with pytest.raises(AnotherHistory):
        read(third, 7)
    lose(4)
    append(postgres_log, adding("cart-a", 2), adding("cart-a", 3))
    assert read(third, 6)[0] == [4]
    with pytest.raises(AnotherHistory):
        read(fifth, 6)


def test_a_connection_that_reads_while_a_session_begins_is_not_read_over_again(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as thread:
        with sql.transaction():
            sql.execute("LOCK TABLE commands IN ACCESS EXCLUSIVE MODE")
            reading = thread.submit(postgres_log.journal_row, uuid4())
            before = _waiting(sql)
            asyncio.run(postgres_log.session_async())
        reading.result()
    deadline = time.monotonic() + SECONDS_MAX
    while _is_there(sql, before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_there(sql, before)


def _is_there(sql: psycopg.Connection, backend: int) -> bool:
    return bool(sql.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [backend]).fetchall())


def _waiting(sql: psycopg.Connection) -> int:
    """The backend that waits for what this one has locked."""
    for _ in range(1_000):
        waiting = "SELECT pid FROM pg_locks WHERE relation = 'commands'::regclass AND NOT granted"
        if (found := sql.execute(waiting).fetchone()) is not None:
            return int(found[0])
        time.sleep(0.001)
    raise AssertionError("nobody waits")
