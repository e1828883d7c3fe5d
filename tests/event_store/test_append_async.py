"""The append for callers of one event loop: the promises are those of `append`, without threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from event_store.errors import InvalidEntry, StoreUnavailable
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, EventLog, KeyReused, Moved, Outcome, Replayed
from tests.event_store.given import (
    adding,
    command_ids,
    entry,
    event,
    keyed,
    positions,
    until_someone_waits,
    until_submitted,
    written,
)


async def each_alone(log: EventLog, *entries: Entry) -> list[Outcome]:
    """Every entry in a call of its own, all at once."""
    answers = await asyncio.gather(*(log.append_async([one]) for one in entries))
    return [outcome for (outcome,) in answers]


def test_many_callers_of_one_loop_get_positions_without_a_hole(log: EventLog) -> None:
    async def add(name: int) -> list[int | None]:
        answers = []
        for version in range(10):
            answers += positions(await log.append_async([adding(f"cart-{name}", version)]))
        return answers

    async def run() -> list[list[int | None]]:
        return await asyncio.gather(*(add(name) for name in range(100)))

    answered = asyncio.run(run())
    assert sorted(p for each in answered for p in each if p) == list(range(1, 1001))
    for name, mine in enumerate(answered):
        assert [e.position for e in log.read_stream(f"cart-{name}")] == mine
        assert [e.version for e in log.read_stream(f"cart-{name}")] == list(range(1, 11))


def test_the_outcomes_are_those_of_append(log: EventLog) -> None:
    first = adding("cart-a", **keyed(b"k"))
    second = adding("cart-b", new_subject_keys={"ann": b"1" * 32})

    async def run() -> None:
        assert positions(await log.append_async([first, second, adding("cart-b", 1)])) == [1, 2, 3]
        again, other, stale, mine, later = await each_alone(
            log,
            adding("cart-c", **keyed(b"k")),
            adding("cart-c", **keyed(b"k", b"another")),
            adding("cart-a"),
            adding("cart-d", new_subject_keys={"ann": b"2" * 32}),
            adding("cart-e"),
        )
        assert again == Replayed(log.journal_row(first.command_id))  # type: ignore[arg-type]
        assert other == KeyReused()
        assert stale == Moved(("cart-a",))
        assert mine == Moved((), ("ann",))
        assert positions([later]) == [4]
        (sent_again,) = await log.append_async([second])
        assert sent_again == Replayed(log.journal_row(second.command_id))  # type: ignore[arg-type]
        unread = await log.append_async([entry({"cart-e": 1})])
        assert isinstance(unread[0], Appended)
        assert unread[0].last_position is None
        assert await log.append_async([]) == []
        with pytest.raises(InvalidEntry):
            await log.append_async([entry({"cart-a": 1}, "cart-b")])

    asyncio.run(run())
    assert [stream for _, stream, _ in written(log)] == ["cart-a", "cart-b", "cart-b", "cart-e"]


def test_one_command_sent_by_many_callers_at_once_is_done_once(log: EventLog) -> None:
    sent = adding("cart-a")

    async def run() -> list[Outcome]:
        return await each_alone(log, *[sent] * 70, *(adding(f"cart-b{n}") for n in range(70)))

    outcomes = asyncio.run(run())
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 71
    assert sum(isinstance(outcome, Replayed) for outcome in outcomes) == 69
    assert len(set(command_ids(log))) == len(command_ids(log)) == 71


def test_of_many_callers_on_one_version_exactly_one_wins(log: EventLog) -> None:
    outcomes = asyncio.run(each_alone(log, *(adding("stock-x") for _ in range(100))))
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    assert sum(outcome == Moved(("stock-x",)) for outcome in outcomes) == 99


def test_loops_and_threads_share_one_order(log: EventLog) -> None:
    def callers(name: str) -> None:
        async def run() -> None:
            for n in range(5):
                await each_alone(log, *(adding(f"cart-{name}-{n}-{m}") for m in range(40)))

        asyncio.run(run())

    def thread(name: str) -> None:
        for n in range(40):
            log.append([adding(f"cart-{name}-{n}")])

    threads = [threading.Thread(target=callers, args=[name]) for name in ("a", "b")]
    threads += [threading.Thread(target=thread, args=[name]) for name in ("c", "d", "e")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [position for position, _, _ in written(log)] == list(range(1, 2 * 200 + 3 * 40 + 1))


def test_large_calls_are_sent_whole(log: EventLog) -> None:
    large = [
        entry(
            {f"cart-{n}": 0},
            events=[event(f"cart-{n}", b"x" * 250_000)],
            verdict="accepted",
            answer=b"y" * 900_000,
        )
        for n in range(12)
    ]
    outcomes = asyncio.run(each_alone(log, *large))
    assert sorted(p for p in positions(outcomes) if p) == list(range(1, 13))


def test_a_caller_that_gives_up_hurts_nobody(log: EventLog) -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(log.append_async([adding(f"cart-{n}")])) for n in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(answer, list) for answer in answers) >= 9

    asyncio.run(run())
    assert len(written(log)) in {9, 10}


def test_a_lost_connection_fails_what_was_under_way_and_the_next_call_works(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    async def run() -> None:
        await postgres_log.append_async([adding("cart-first")])
        with sql.transaction():
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || %s, 0))", [schema])
            lost = [asyncio.create_task(postgres_log.append_async([adding("cart-a")]))]
            await asyncio.to_thread(until_someone_waits, sql)
            lost.append(asyncio.create_task(postgres_log.append_async([adding("cart-b")])))
            await until_submitted()
            waiting = asyncio.create_task(postgres_log.append_async([adding("cart-c")]))
            await until_submitted()
            sql.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'daybook' AND wait_event_type = 'Lock'"
            )
        answers = await asyncio.gather(*lost, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
        assert positions(await waiting) == [2]
        sql.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'daybook'"
        )
        # Lost while nothing was under way: nobody needs to know.
        assert positions(await postgres_log.append_async([adding("cart-a")])) == [3]

    asyncio.run(run())
    assert [stream for _, stream, _ in written(postgres_log)] == ["cart-first", "cart-c", "cart-a"]


def test_a_stalled_writer_delays_callers_by_its_time_out(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    async def run() -> None:
        with sql.transaction():
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || %s, 0))", [schema])
            with pytest.raises(StoreUnavailable):
                await postgres_log.append_async([adding("cart-a")])
        assert positions(await postgres_log.append_async([adding("cart-a")])) == [1]

    asyncio.run(run())


def test_beside_another_writer_what_waits_travels_as_one_batch(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    async def run() -> None:
        await postgres_log.append_async([adding("cart-first")])
        with sql.transaction():
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || %s, 0))", [schema])
            delayed = asyncio.create_task(postgres_log.append_async([adding("cart-delayed")]))
            await asyncio.to_thread(until_someone_waits, sql)
        await delayed
        await each_alone(postgres_log, *(adding(f"cart-{n}") for n in range(128)))

    asyncio.run(run())
    times = [event.recorded_at for event in postgres_log.read_all(after=2, limit=200)]
    assert (len(times), len(set(times))) == (128, 1)


def test_a_closed_log_says_so(log: EventLog) -> None:
    async def run() -> None:
        await log.append_async([adding("cart-a")])
        log.close()
        with pytest.raises(StoreUnavailable):
            await log.append_async([adding("cart-a", 1)])

    asyncio.run(run())


def test_who_only_reads_cannot_append(postgres_log: PostgresLog, postgres_url: str, schema: str) -> None:
    reading = PostgresLog.open(postgres_url, schema=schema, read_only=True)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asyncio.run(reading.append_async([adding("cart-b")]))
    reading.close()
    assert postgres_log.head() == 0


def test_a_loop_may_go_on_in_another_thread_while_its_first_has_another_loop(
    postgres_log: PostgresLog,
) -> None:
    async def add(stream: str) -> list[Outcome]:
        async with asyncio.timeout(10):
            return await postgres_log.append_async([adding(stream)])

    with asyncio.Runner() as moved, asyncio.Runner() as other:
        moved.run(add("cart-a"))
        loop = moved.get_loop()
        elsewhere = threading.Thread(target=loop.run_forever)
        elsewhere.start()
        here = asyncio.run_coroutine_threadsafe(add("cart-b"), loop)
        assert positions(here.result(10)) == [2]
        assert positions(other.run(add("cart-c"))) == [3]
        loop.call_soon_threadsafe(loop.stop)
        elsewhere.join()
        postgres_log.close()
        for runner in (moved, other):  # Each lets its writer's connection go.
            runner.run(asyncio.sleep(0))


def test_callers_who_fill_the_loops_executor_do_not_keep_it_from_connecting(
    postgres_log: PostgresLog,
) -> None:
    async def run() -> list[list[Outcome]]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))

        def add(stream: str) -> list[Outcome]:
            call = postgres_log.append_async([adding(stream)])
            return asyncio.run_coroutine_threadsafe(call, loop).result(10)

        return await asyncio.gather(*(asyncio.to_thread(add, f"cart-{n}") for n in range(2)))

    first, second = asyncio.run(run())
    assert sorted(position or 0 for position in positions(first + second)) == [1, 2]
