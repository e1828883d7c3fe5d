"""Several processes share out what they hold: by session locks, lost with the session."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable

import pytest

from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from tests.waiting import SECONDS_MAX


def eventually(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def test_what_one_holds_no_other_takes_until_it_is_given_up(postgres_log: PostgresLog) -> None:
    one, other = postgres_log.leases(), postgres_log.leases()
    assert one.take(["a", "b"]) == {"a", "b"}
    assert other.take(["a", "c"]) == {"c"}
    assert postgres_log.try_exclusive("a") is None, "it is the same lock"
    one.release(["a"])
    assert other.take(["a", "b"]) == {"a"}
    one.release_all()
    other.release_all()


def test_what_is_shared_several_hold(postgres_log: PostgresLog) -> None:
    one, other = postgres_log.leases(), postgres_log.leases()
    assert one.share("a")
    assert other.share("a")
    other.take(["b"])
    held = postgres_log.holders(["a", "b", "c"])
    assert {name: {holder.session for holder in holders} for name, holders in held.items()} == {
        "a": {one.session, other.session},
        "b": {other.session},
    }
    assert {holder.process.rpartition(":")[2] for holder in held["a"]} == {str(os.getpid())}
    assert one.holders(["a", "b", "c"]) == held
    one.release_all()
    other.release_all()


def test_all_is_lost_with_the_session(postgres_log: PostgresLog, sql) -> None:
    one, other = postgres_log.leases(), postgres_log.leases()
    one.take(["a", "b"])
    sql.execute("SELECT pg_terminate_backend(%s, 5000)", [one.session])
    assert other.take(["a", "b"]) == {"a", "b"}
    with pytest.raises(StoreUnavailable):
        one.holders(["a"])
    assert not one.still_held()
    other.release_all()
    assert not other.still_held()


def test_who_works_long_keeps_its_lease_and_who_stands_still_loses_it(fresh_postgres: str) -> None:
    log = PostgresLog.open(fresh_postgres)
    process = multiprocessing.get_context("fork").Process(target=_holding, args=(fresh_postgres,))
    process.start()
    eventually(lambda: "a" in log.holders(["a"]), "it is held")
    until = time.monotonic() + 1.5  # The length of three leases.
    while time.monotonic() < until:
        assert "a" in log.holders(["a"])
        time.sleep(0.05)
    os.kill(process.pid or 0, signal.SIGSTOP)
    try:
        eventually(lambda: "a" not in log.holders(["a"]), "it is lost")
    finally:
        os.kill(process.pid or 0, signal.SIGCONT)
    process.join(SECONDS_MAX)
    assert process.exitcode == 0, "it noticed"
    log.close()


def _holding(url: str) -> None:
    """Holds it without a call, and ends once it is lost."""
    log = PostgresLog.open(url)
    leases = log.leases(lease_seconds=0.5)
    leases.take(["a"])
    while leases.still_held():
        time.sleep(3)
    log.close()
