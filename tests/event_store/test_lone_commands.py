"""A command that comes alone, from a connection that knows, or thinks it knows, where the log ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from event_store.postgres.append.end import FRESH_SECONDS, UNDISTURBED_ANSWERS, LogEnd
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, EventLog, KeyReused, Moved, Outcome, Replayed
from tests.event_store.given import LoopDoor, adding, append, keyed, positions, written

AT = b"\0" * 8


@pytest.fixture
def statements(
    postgres_log: PostgresLog, sql: psycopg.Connection, fresh_for_ever: None
) -> Callable[[], dict[str, int]]:
    """How often each function has written, by what each row it wrote says."""
    sql.execute("CREATE TABLE written_by (query text)")
    sql.execute(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        f" INSERT INTO {postgres_log.schema}.written_by VALUES (current_query()); RETURN NULL; END $$"
    )
    sql.execute("CREATE TRIGGER note AFTER INSERT ON commands FOR EACH ROW EXECUTE FUNCTION note()")

    def count() -> dict[str, int]:
        rows = sql.execute(
            "SELECT substring(query from 'SELECT (\\w+)'), count(*) FROM written_by GROUP BY 1"
        )
        return {str(function): int(number) for function, number in rows}

    return count


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


def test_who_has_just_written_a_stream_looks_nothing_up(
    door: EventLog, statements: Callable[[], dict[str, int]]
) -> None:
    outcomes = [append(door, adding("cart-a", version))[0] for version in range(5)]
    assert positions(outcomes) == [1, 2, 3, 4, 5]
    times = [outcome.recorded_at for outcome in outcomes if isinstance(outcome, Appended)]
    assert times == sorted(times) == [event.recorded_at for event in door.read_all(after=0, limit=10)]
    assert statements() == {"append_one": 1, "append_next": 4}


def test_what_is_not_known_is_looked_up(door: EventLog, statements: Callable[[], dict[str, int]]) -> None:
    append(door, adding("cart-a"))
    append(door, adding("cart-b"))  # Another stream,
    append(door, adding("cart-a", 1, **keyed(b"k")))  # a key,
    append(door, adding("cart-a", 2), adding("cart-b", 1))  # and after a batch, either stream.
    append(door, adding("cart-a", 3))
    assert statements() == {"append_one": 4, "append": 2}
    append(door, adding("cart-a", 4))
    assert statements() == {"append_one": 4, "append": 2, "append_next": 1}


def test_what_others_added_meanwhile_is_noticed(
    door: EventLog, others: PostgresLog, statements: Callable[[], dict[str, int]]
) -> None:
    append(door, adding("cart-a"))
    append(others, adding("cart-b"))
    assert positions(append(door, adding("cart-a", 1))) == [3]
    assert statements() == {"append_one": 2, "append_each": 1}
    append(others, adding("cart-a", 2))
    assert append(door, adding("cart-a", 2)) == [Moved(("cart-a",))]
    assert statements() == {"append_one": 3, "append_each": 1}
    assert written(door) == [
        (1, "cart-a", 1),
        (2, "cart-b", 1),
        (3, "cart-a", 2),
        (4, "cart-a", 3),
    ]


def test_a_command_is_done_once(door: EventLog, statements: Callable[[], dict[str, int]]) -> None:
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


def test_a_lock_that_somebody_holds_is_waited_for(
    door: EventLog, sql: psycopg.Connection, statements: Callable[[], dict[str, int]]
) -> None:
    append(door, adding("cart-a"))
    outcomes: list[Outcome] = []
    sending = threading.Thread(target=lambda: outcomes.extend(append(door, adding("cart-a", 1))))
    with sql.transaction():
        sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || current_schema(), 0))")
        sending.start()
        time.sleep(0.2)
        assert outcomes == []
    sending.join()
    assert positions(outcomes) == [2]
    assert statements() == {"append_one": 1, "append_each": 1}


def test_what_is_sent_while_it_is_under_way_takes_nothing_from_its_outcome(
    postgres_log: PostgresLog, sql: psycopg.Connection, statements: Callable[[], dict[str, int]]
) -> None:
    """Over one connection: a batch that must be judged follows the command that went on."""

    async def run() -> list[list[Outcome]]:
        await postgres_log.append_async([adding("cart-a")])
        with sql.transaction():
            sql.execute("LOCK TABLE commands IN SHARE MODE")
            lone = asyncio.create_task(postgres_log.append_async([adding("cart-a", 1)]))
            await asyncio.sleep(0.1)
            again = adding("cart-a", 2, **keyed(b"k")), adding("cart-a", 3, **keyed(b"k", b"other"))
            judged = asyncio.create_task(postgres_log.append_async(again))
            await asyncio.sleep(0.1)
        return [await lone, await judged]

    lone, judged = asyncio.run(run())
    assert positions(lone) == [2]
    assert [type(outcome) for outcome in judged] == [Appended, KeyReused]
    assert statements() == {"append_one": 1, "append_next": 1, "append_each": 1}


def test_a_new_connection_knows_nothing(
    door: EventLog, sql: psycopg.Connection, statements: Callable[[], dict[str, int]]
) -> None:
    append(door, adding("cart-a"))
    sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'daybook'"
    )
    assert positions(append(door, adding("cart-a", 1))) == [2]
    assert statements() == {"append_one": 2}


def test_an_end_is_likely_for_a_moment_only() -> None:
    end = LogEnd()
    end.added(7, "cart-a", 1, AT)
    assert end.is_likely("cart-a", 1)
    assert not end.is_likely("cart-a", 2)
    assert not end.is_likely("cart-b", 0)
    time.sleep(FRESH_SECONDS)
    assert not end.is_likely("cart-a", 1)


def test_an_end_that_others_moved_is_not_likely_for_a_while(fresh_for_ever: None) -> None:
    end = LogEnd()
    end.added(7, "cart-a", 1, AT)
    end.moved(9, 12, AT)
    for position in range(12, 12 + UNDISTURBED_ANSWERS):
        assert not end.is_likely("cart-a", position - 12)
        end.added(position, "cart-a", position - 11, AT)
    assert end.is_likely("cart-a", UNDISTURBED_ANSWERS)


def test_who_was_disturbed_looks_up_for_a_while(
    door: EventLog, others: PostgresLog, statements: Callable[[], dict[str, int]]
) -> None:
    append(door, adding("cart-a"))
    append(others, adding("cart-b"))
    for version in range(1, UNDISTURBED_ANSWERS + 4):
        append(door, adding("cart-a", version))
    assert statements() == {"append_one": 2 + UNDISTURBED_ANSWERS, "append_each": 1, "append_next": 2}


def test_an_end_knows_so_many_streams(fresh_for_ever: None) -> None:
    end = LogEnd()
    for position in range(2_000):
        end.added(position, f"cart-{position}", 1, AT)
    assert end.is_likely("cart-1999", 1)
    assert sum(end.is_likely(f"cart-{position}", 1) for position in range(2_000)) <= 1_000
