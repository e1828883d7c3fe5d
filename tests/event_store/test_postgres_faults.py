"""Damage, lost connections and servers that go away: what PostgresLog makes of them."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from deploy.local.servers.postgres import PostgresServer
from event_store.errors import LogGap, SchemaMissing, SchemaTooNew, StoreUnavailable
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import migrate
from event_store.records import Appended, Entry
from tests.event_store.given import adding, append, keyed, positions, until_someone_waits
from tests.suspended import suspended
from tests.waiting import SECONDS_MAX


def test_a_missing_position_is_never_skipped(postgres_log: PostgresLog, sql: psycopg.Connection) -> None:
    append(postgres_log, *(adding("cart-a", version) for version in range(6)))
    sql.execute("DELETE FROM events WHERE position IN (3, 6)")
    assert len(postgres_log.read_all(after=0, limit=2)) == 2
    for after, limit, up_to in ((0, 3, None), (0, 10, None), (2, 1, None), (2, 10, 3)):
        with pytest.raises(LogGap, match="position 3"):
            postgres_log.read_all(after=after, limit=limit, up_to=up_to)
    assert len(postgres_log.read_all(after=3, limit=10, up_to=5)) == 2


def test_a_missing_position_at_the_end_of_a_range_is_seen(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    append(postgres_log, *(adding("cart-a", version) for version in range(4)))
    sql.execute("DELETE FROM events WHERE position = 3")
    with pytest.raises(LogGap, match="position 3"):
        postgres_log.read_all(after=0, limit=10, up_to=3)


def test_a_killed_backend_is_no_matter_while_nothing_is_under_way(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    append(postgres_log, adding("cart-a"))
    _kill_all(sql)
    # Killed while nothing was under way: nobody needs to know.
    assert postgres_log.head() == 1
    assert positions(append(postgres_log, adding("cart-b"))) == [2]


def test_a_backend_killed_inside_the_append_leaves_no_hole(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    append(postgres_log, adding("cart-a"))
    lost = adding("cart-b", **keyed(b"k"))
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.extend(append(postgres_log, lost))
        except StoreUnavailable as error:
            outcomes.append(error)

    # A lock that the test holds keeps the append inside its function for as long as we like.
    with sql.transaction():
        sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || %s, 0))", [schema])
        appending = threading.Thread(target=run)
        appending.start()
        until_someone_waits(sql)
        sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'daybook' AND wait_event_type = 'Lock'"
        )
        appending.join()
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable]
    assert positions(append(postgres_log, lost)) == [2]


def test_a_stalled_writer_delays_others_by_its_time_out_and_no_longer(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    with sql.transaction():
        sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || %s, 0))", [schema])
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            append(postgres_log, adding("cart-a"))
        assert 1.5 < time.monotonic() - started < SECONDS_MAX / 2
    assert positions(append(postgres_log, adding("cart-a"))) == [1]


def test_every_caller_of_a_lost_batch_is_told_and_the_next_batch_works(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    results: list[object] = []

    def run(sent: Entry) -> None:
        try:
            results.extend(append(postgres_log, sent))
        except StoreUnavailable as error:
            results.append(error)

    append(postgres_log, adding("cart-first"))
    with sql.transaction():
        sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('append ' || %s, 0))", [schema])
        threads = [threading.Thread(target=run, args=[adding(f"cart-{n}")]) for n in range(8)]
        for thread in threads:
            thread.start()
        until_someone_waits(sql)
        sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'daybook' AND wait_event_type = 'Lock'"
        )
    for thread in threads:
        thread.join()
    unavailable = [result for result in results if isinstance(result, StoreUnavailable)]
    done = [result for result in results if isinstance(result, Appended)]
    assert unavailable  # those of the batches that were under way
    assert len(unavailable) + len(done) == 8
    assert postgres_log.head() == 1 + len(done)
    assert positions(append(postgres_log, adding("cart-after"))) == [2 + len(done)]


@pytest.mark.slow
def test_a_server_away_is_told_at_once_and_back_without_a_restart(own_server: PostgresServer) -> None:
    log = PostgresLog.open(own_server.url())
    assert positions(append(log, adding("cart-a"))) == [1]
    assert log.wait(after=0, timeout_seconds=SECONDS_MAX) == 1
    own_server.stop()
    for call in (
        lambda: append(log, adding("cart-b")),
        log.head,
        lambda: log.wait(after=1, timeout_seconds=SECONDS_MAX),
        lambda: log.try_exclusive("x"),
        lambda: PostgresLog.open(own_server.url()),
    ):
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            call()
        assert time.monotonic() - started < SECONDS_MAX / 2
    own_server.start()
    assert positions(append(log, adding("cart-b"))) == [2]
    assert log.head() == 2
    assert log.wait(after=1, timeout_seconds=SECONDS_MAX) == 2
    waiting = threading.Thread(target=lambda: heard.append(log.wait(after=2, timeout_seconds=SECONDS_MAX)))
    heard: list[int] = []
    waiting.start()
    time.sleep(0.05)  # It waits by then; if not, it is told no later.
    append(log, adding("cart-c"))
    waiting.join()
    assert heard == [3]
    log.close()


@pytest.mark.slow
def test_a_server_that_says_nothing_is_told_and_goes_on(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_store.postgres.connections.LimitedConnection.silence_seconds_max", 1.0)
    log = PostgresLog.open(own_server.url())
    append(log, adding("cart-a"))
    held = log.try_exclusive("x")
    assert held is not None
    assert log.head() == 1
    with suspended(own_server.process.pid):
        for call in (
            log.head,
            lambda: log.wait(after=1, timeout_seconds=SECONDS_MAX),
            lambda: log.try_exclusive("y"),
        ):
            started = time.monotonic()
            with pytest.raises(StoreUnavailable):
                call()
            assert time.monotonic() - started < SECONDS_MAX / 2
        assert not held.still_held()
    assert log.head() == 1
    assert positions(append(log, adding("cart-b"))) == [2]
    log.close()


def test_an_exclusive_whose_connection_is_gone_is_not_held(
    postgres_log: PostgresLog, sql: psycopg.Connection
) -> None:
    held = postgres_log.try_exclusive("sealer")
    assert held is not None
    _kill_all(sql)
    assert not held.still_held()
    again = postgres_log.try_exclusive("sealer")
    assert again is not None
    again.release()


def test_who_only_reads_makes_nothing_and_writes_nothing(
    postgres_url: str, schema: str, sql: psycopg.Connection
) -> None:
    with pytest.raises(SchemaMissing, match=schema):
        PostgresLog.open(postgres_url, schema=schema, read_only=True)
    assert sql.execute("SELECT to_regnamespace(%s)", [schema]).fetchone() == (None,)

    writing = PostgresLog.open(postgres_url, schema=schema)
    append(writing, adding("cart-a", new_subject_keys={"ann": b"1" * 32}))
    reading = PostgresLog.open(postgres_url, schema=schema, read_only=True)
    assert len(reading.read_all(after=0, limit=10)) == 1
    assert reading.subject_keys(["ann"]) == {"ann": b"1" * 32}
    assert reading.wait(after=0, timeout_seconds=SECONDS_MAX) == 1
    assert len(reading.journal_rows(first_position=1, last_position=1)) == 1
    for call in (
        lambda: append(reading, adding("cart-b")),
        lambda: reading.save_checkpoint("x", 1),
        reading.installation_secret,
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, StoreUnavailable)):
            call()
    assert writing.head() == 1
    reading.close()
    writing.close()


def test_migrations_are_safe_when_several_start_at_once(postgres_url: str, schema: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(postgres_url, schema))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(applied) == 4
    assert sorted(map(len, applied))[:3] == [0, 0, 0]
    assert migrate(postgres_url, schema) == []


def test_a_log_from_the_future_is_left_alone(
    postgres_log: PostgresLog, sql: psycopg.Connection, postgres_url: str, schema: str
) -> None:
    sql.execute("INSERT INTO schema_migrations (number, name) VALUES (999, 'future')")
    for read_only in (False, True):
        with pytest.raises(SchemaTooNew):
            PostgresLog.open(postgres_url, schema=schema, read_only=read_only)


def _kill_all(sql: psycopg.Connection) -> None:
    # With a timeout it waits until each is gone.
    sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'daybook'"
    )
