"""Readers are told of new events before they would look themselves."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from event_store.postgres import wakeup as postgres_wakeup
from event_store.postgres.log import PostgresLog
from event_store.postgres.wakeup import Listener
from tests.event_store.given import adding, append
from tests.waiting import SECONDS_MAX

TELLING = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE query LIKE 'SELECT pg_notify(%' AND application_name = 'daybook'"
)


@pytest.mark.parametrize("lost", [False, True], ids=["", "by a connection made anew"])
def test_a_word_comes_before_a_look(
    postgres_log: PostgresLog,
    postgres_url: str,
    schema: str,
    sql: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    lost: bool,
) -> None:
    look = 2 * SECONDS_MAX
    monkeypatch.setattr(postgres_wakeup, "POLL_SECONDS", look)
    listener = Listener(postgres_url, schema, read_only=False, closing=threading.Event())
    append(postgres_log, adding("cart-a"))
    assert listener.wait(after=0, until=time.monotonic() + SECONDS_MAX) == 1
    for n in range(1, 6):
        if lost:
            sql.execute(TELLING)
        append(postgres_log, adding(f"cart-{n}"))
        # A look has come by then at most once, and most words in less than the time to the next.
        assert listener.wait(after=n, until=time.monotonic() + look / 2) == n + 1
    listener.close()
