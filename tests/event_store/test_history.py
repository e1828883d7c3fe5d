"""The log under writers that share streams, and whether its checker would notice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from event_store.errors import LogGap
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, EventLog, KeyReused, Moved, Replayed
from tests.event_store.given import adding, append, entry, keyed
from tests.event_store.history import Follower, History, check_order
from tests.event_store.writing import WriterProcess, WriterThreads
from tests.waiting import SECONDS_MAX


def test_threads_with_a_log_each_share_one_order(
    postgres_log: PostgresLog, writer_url: str, schema: str
) -> None:
    history = History()
    logs: list[EventLog] = [PostgresLog.open(writer_url, schema=schema) for _ in range(3)]
    with Follower(postgres_log) as follower:
        writers = WriterThreads(history, [*logs, logs[0]])
        writers.write_more(400)
        writers.end()
    history.check(postgres_log, follower)
    kinds = [type(answer) for answer in history.answers.values()]
    assert {kind: kinds.count(kind) > 5 for kind in (Appended, Replayed, Moved)} == dict.fromkeys(
        (Appended, Replayed, Moved), True
    )
    for log in logs:
        log.close()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_on_the_same_streams_share_one_order_also_when_one_is_killed(
    postgres_log: PostgresLog, writer_url: str, schema: str, count: int
) -> None:
    history = History()
    with Follower(postgres_log) as follower:
        writers = [WriterProcess(writer_url, schema, f"process{n}", seconds=2.0) for n in range(count)]
        killed = WriterProcess(writer_url, schema, "killed", seconds=10 * SECONDS_MAX)
        postgres_log.wait(after=200, timeout_seconds=SECONDS_MAX)
        while not any(event.stream.startswith("cart-killed") for event in follower.seen):
            postgres_log.wait(after=len(follower.seen), timeout_seconds=1)
        killed.process.kill()
        codes = [writer.tell(history, postgres_log) for writer in writers]
        assert killed.tell(history, postgres_log) == -9
    assert codes == [0] * count
    events = history.check(postgres_log, follower)
    assert len({event.stream.split("-")[1] for event in events if event.stream[:5] == "cart-"}) == count + 1
    assert sum(isinstance(answer, Moved) for answer in history.answers.values()) > 10


def test_a_clock_set_back_does_not_turn_recorded_at(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    history = History()
    history.append(postgres_log, adding("cart-a"))
    # As though the server's clock had been an hour ahead until now.
    for table in ("events", "commands"):
        sql.execute(f"UPDATE {table} SET recorded_at = recorded_at + interval '1 hour'".encode())
    history.answers.clear()
    with Follower(postgres_log) as follower:
        for version in range(1, 5):
            (outcome,) = history.append(postgres_log, adding("cart-a", version)) or ()
            assert isinstance(outcome, Appended)
            assert outcome.recorded_at > datetime.now(UTC) + timedelta(minutes=59)
        stale = entry({"cart-a": 0}, verdict="refused", **keyed(b"k"))
        fresh = entry({"cart-a": 5}, verdict="unchanged", **keyed(b"k"))
        history.append(postgres_log, stale, fresh)  # Through the function that judges each command.
    events = history.check(postgres_log, follower)
    assert len({event.recorded_at for event in events}) == 1
    assert postgres_log.insert_events([("library-1", 1, "things.moved", b"{}")]) == [6]
    assert postgres_log.read_stream("library-1")[0].recorded_at == events[-1].recorded_at


def test_the_log_in_memory_keeps_its_time_as_well() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    times = iter([noon, noon - timedelta(hours=1), noon + timedelta(seconds=1)])
    log, history = MemoryLog(clock=lambda: next(times)), History()
    for version in range(3):
        history.append(log, adding("cart-a", version))
    events = history.check(log)
    assert [event.recorded_at for event in events] == [noon, noon, noon + timedelta(seconds=1)]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ("DELETE FROM events WHERE position = 3", LogGap),
        ("DELETE FROM events WHERE position >= 7", AssertionError),
        ("UPDATE events SET version = 9 WHERE position = 4", AssertionError),
        ("UPDATE events SET recorded_at = recorded_at - interval '1 day' WHERE position = 2", AssertionError),
        ("UPDATE events SET data = '{}' WHERE position = 4", AssertionError),
        ("UPDATE events SET command_id = gen_random_uuid() WHERE position = 1", AssertionError),
        (
            "INSERT INTO events SELECT 8, stream, 2, type, schema_number, data, command_id, correlation,"
            " causation, actor, recorded_at, valid_at FROM events WHERE position = 1",
            AssertionError,
        ),
        ("DELETE FROM commands WHERE first_position = 4", AssertionError),
        ("UPDATE commands SET last_position = 5 WHERE first_position = 4", AssertionError),
    ],
)
def test_the_checker_sees_what_is_wrong(
    postgres_log: PostgresLog, sql: psycopg.Connection, damage: str, error: type[Exception]
) -> None:
    history = History()
    for n in range(1, 8):
        history.append(postgres_log, adding(f"cart-{n}"))
    history.check(postgres_log)
    assert sql.execute(damage.encode()).rowcount > 0
    with pytest.raises(error):
        history.check(postgres_log)


def test_the_checker_sees_what_was_refused_and_is_there(log: EventLog) -> None:
    sent = adding("cart-a")
    append(log, sent)
    for answer, holds in ((Moved(("cart-a",)), False), (KeyReused(), False), (None, True)):
        history = History()
        history.sent[sent.command_id] = sent
        if answer is not None:
            history.answers[sent.command_id] = answer
        if holds:
            history.check(log)
        else:
            with pytest.raises(AssertionError, match="refused, and yet there"):
                history.check(log)


def test_the_checker_sees_an_event_that_came_late(log: EventLog) -> None:
    append(log, *(adding("cart-a", version) for version in range(3)))
    first, second, third = log.read_all(after=0, limit=3)
    check_order([first, second, third])
    for seen in ([second, third], [first, third], [first, second, second], [first, third, second]):
        with pytest.raises(AssertionError, match="position"):
            check_order(seen)


def test_the_follower_sees_a_hole(postgres_log: PostgresLog, sql: psycopg.Connection) -> None:
    append(postgres_log, *(adding("cart-a", version) for version in range(5)))
    sql.execute("UPDATE events SET position = position + 1 WHERE position = 5")
    with pytest.raises(LogGap, match="position 5"), Follower(postgres_log):
        pass
