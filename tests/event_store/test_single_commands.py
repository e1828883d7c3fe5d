"""Single commands one after another, beside other processes: through the writer of a loop, and of threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from event_store.errors import StoreUnavailable
from event_store.postgres.append import rows
from event_store.postgres.append.batch import CommandBatch
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, EventLog, KeyReused, Moved, Outcome, Replayed
from tests.event_store.given import (
    LoopDoor,
    adding,
    append,
    keyed,
    positions,
    until_someone_waits,
    until_submitted,
    written,
)
from tests.waiting import SECONDS_MAX


@pytest.fixture(params=["threads", "loop"])
def door(request: pytest.FixtureRequest, postgres_log: PostgresLog, writer_url: str) -> Iterator[EventLog]:
    if request.param == "threads":
        yield postgres_log
    else:
        loop = LoopDoor(PostgresLog.open(writer_url, schema=postgres_log.schema))
        yield loop
        loop.close()


@pytest.fixture
def others(postgres_log: PostgresLog, writer_url: str) -> Iterator[PostgresLog]:
    """Another process, for what it matters."""
    log = PostgresLog.open(writer_url, schema=postgres_log.schema)
    yield log
    log.close()


def test_what_others_added_meanwhile_is_noticed(door: EventLog, others: PostgresLog) -> None:
    append(door, adding("cart-a"))
    append(others, adding("cart-b"))
    assert positions(append(door, adding("cart-a", 1))) == [3]
    append(others, adding("cart-a", 2))
    assert append(door, adding("cart-a", 2)) == [Moved(("cart-a",))]
    assert written(door) == [
        (1, "cart-a", 1),
        (2, "cart-b", 1),
        (3, "cart-a", 2),
        (4, "cart-a", 3),
    ]


def test_a_command_is_done_once(door: EventLog) -> None:
    first, second = adding("cart-a"), adding("cart-a", 1)
    append(door, first, second)
    append(door, adding("cart-a", 2))
    (again,) = append(door, second)
    assert isinstance(again, Replayed)
    append(door, adding("cart-a", 3))
    second.reads = {"cart-a": 4}  # As though it were decided afresh: the stream is as it must be.
    (again,) = append(door, second)
    assert isinstance(again, Replayed)
    assert again.row.last_position == 2
    assert [version for _, _, version in written(door)] == [1, 2, 3, 4]


def test_a_lock_that_somebody_holds_is_waited_for(door: EventLog, sql: psycopg.Connection) -> None:
    append(door, adding("cart-a"))
    outcomes: list[Outcome] = []
    sending = threading.Thread(target=lambda: outcomes.extend(append(door, adding("cart-a", 1))))
    with sql.transaction():
        sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || current_schema(), 0))")
        sending.start()
        until_someone_waits(sql)
        assert outcomes == []
    sending.join()
    assert positions(outcomes) == [2]


def test_what_is_sent_while_it_is_under_way_takes_nothing_from_its_outcome(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    """Over one connection: a batch that must be judged follows the command that went on."""

    async def run() -> list[list[Outcome]]:
        await postgres_log.append_async([adding("cart-a")])
        with sql.transaction():
            sql.execute("LOCK TABLE commands IN SHARE MODE")
            lone = asyncio.create_task(postgres_log.append_async([adding("cart-a", 1)]))
            await asyncio.to_thread(until_someone_waits, sql)
            again = adding("cart-a", 2, **keyed(b"k")), adding("cart-a", 3, **keyed(b"k", b"other"))
            judged = asyncio.create_task(postgres_log.append_async(again))
            await until_submitted()
        return [await lone, await judged]

    lone, judged = asyncio.run(run())
    assert positions(lone) == [2]
    assert [type(outcome) for outcome in judged] == [Appended, KeyReused]


def test_a_new_connection_knows_nothing(door: EventLog, sql: psycopg.Connection) -> None:
    append(door, adding("cart-a"))
    sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'daybook'"
    )
    assert positions(append(door, adding("cart-a", 1))) == [2]


def test_an_entry_that_cannot_be_packed_fails_its_own_call_and_no_other(
    door: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = rows.Packed

    def pack(entry: Entry) -> rows.Packed:
        if "cart-bad" in entry.reads:
            raise MemoryError
        return packed(entry)

    monkeypatch.setattr(rows, "Packed", pack)
    carts = [f"cart-{number}" for number in range(20)] + ["cart-bad"]
    with ThreadPoolExecutor(len(carts)) as threads:
        calls = {cart: threads.submit(append, door, adding(cart)) for cart in carts}
    assert isinstance(calls.pop("cart-bad").exception(timeout=0), MemoryError)
    outcomes = [outcome for call in calls.values() for outcome in call.result(timeout=0)]
    assert len(positions(outcomes)) == 20


def test_a_batch_that_cannot_be_packed_fails_its_calls_and_leaves_nobody_waiting(
    door: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(door, adding("cart-a"))

    def broken(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched, ThreadPoolExecutor(8) as threads:
        patched.setattr(CommandBatch, "parameters", broken)
        calls = [threads.submit(append, door, adding(f"cart-{number}")) for number in range(8)]
        assert {type(call.exception(timeout=SECONDS_MAX)) for call in calls} == {MemoryError}
    assert positions(append(door, adding("cart-a", 1))) == [2]


def test_a_log_may_be_closed_twice(postgres_log: PostgresLog) -> None:
    append(postgres_log, adding("cart-a"))
    postgres_log.close()
    postgres_log.close()
    with pytest.raises(StoreUnavailable):
        append(postgres_log, adding("cart-a", 1))
