"""Closing a log ends every call that is under way on it, however silent the server is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from deploy.local.servers.postgres import PostgresServer
from event_store.errors import StoreUnavailable
from event_store.postgres import wakeup as postgres_wakeup
from event_store.postgres.log import PostgresLog
from tests.event_store.given import adding, append
from tests.suspended import suspended
from tests.waiting import SECONDS_MAX


@contextmanager
def silent(server: PostgresServer) -> Iterator[None]:
    """All its processes stand still: connections are taken, and nothing is answered."""
    with suspended(server.process.pid):
        yield


def test_a_log_is_closed_beneath_whoever_waits_for_its_server(
    postgres_server: PostgresServer, fresh_postgres: str
) -> None:
    log = PostgresLog.open(fresh_postgres)
    append(log, adding("cart-a"))
    log.wait(after=1, timeout_seconds=0.01)  # Its listener is there.
    raised: list[type[Exception]] = []

    def look() -> None:
        try:
            log.read_all(after=0, limit=10)
        except StoreUnavailable as error:
            raised.append(type(error))

    with silent(postgres_server):
        looking = threading.Thread(target=look)
        looking.start()
        time.sleep(0.2)  # Absence: no answer comes.
        assert looking.is_alive()
        log.close()
        looking.join(SECONDS_MAX)
        assert not looking.is_alive()
    assert raised == [StoreUnavailable]


def test_a_lock_is_given_back_beneath_whoever_looks_at_it(
    postgres_server: PostgresServer, fresh_postgres: str
) -> None:
    log = PostgresLog.open(fresh_postgres)
    held = log.try_exclusive("x")
    assert held is not None
    assert log.try_exclusive("x") is None
    seen: list[bool] = []
    with silent(postgres_server):
        looking = threading.Thread(target=lambda: seen.append(held.still_held()))
        looking.start()
        time.sleep(0.2)  # Absence: no answer comes.
        held.release()
        looking.join(SECONDS_MAX)
        assert not looking.is_alive()
    assert seen == [False]
    again = None
    for _ in range(100):  # The server has yet to see that its client left.
        if (again := log.try_exclusive("x")) is not None:
            break
        time.sleep(0.05)
    assert again is not None
    again.release()
    assert not again.still_held()
    log.close()


def test_an_append_that_cannot_be_sent_tells_its_caller(
    postgres_log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left() -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        monkeypatch.setattr(postgres_log, "_new_writer_connection", none_left)
        with pytest.raises(RuntimeError, match="thread"):
            async with asyncio.timeout(SECONDS_MAX):
                await postgres_log.append_async([adding("cart-a")])
        monkeypatch.undo()

    asyncio.run(run())


def test_a_listener_that_fails_by_our_mistake_is_not_waited_for(
    postgres_log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: psycopg.Connection) -> int:
        raise KeyError("not a head")

    monkeypatch.setattr(postgres_wakeup, "_head_of", broken)
    with pytest.raises(KeyError):
        postgres_log.wait(after=0, timeout_seconds=SECONDS_MAX)


def test_what_others_say_on_the_channel_is_no_matter(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    postgres_log.wait(after=0, timeout_seconds=0.3)
    sql.execute("SELECT pg_notify(%s, 'good morning')", [schema])
    append(postgres_log, adding("cart-a"))
    assert postgres_log.wait(after=0, timeout_seconds=SECONDS_MAX) == 1
    append(postgres_log, adding("cart-b"))
    assert postgres_log.wait(after=1, timeout_seconds=SECONDS_MAX) == 2


def test_a_log_is_closed_while_its_waker_begins(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waker = postgres_wakeup.Waker(postgres_url, schema, closing=threading.Event())
    begin = threading.Thread.start

    def close_and_begin(thread: threading.Thread) -> None:
        waker.close()
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", close_and_begin)
    waker.notify(1)
    waker.close()
