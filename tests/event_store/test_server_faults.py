"""PostgreSQL restarted, killed and out of disk beneath writers who go on."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.servers.postgres import PostgresServer
from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, EventLog, NewEvent
from tests.conftest import ServerPlace, copy_cluster
from tests.event_store.given import LoopDoor, adding, append, entry
from tests.event_store.history import Follower, History
from tests.event_store.writing import WriterThreads
from tests.servers import idle_backend, kill, kill_one
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow


def test_restarted_and_killed_under_load(own_server: PostgresServer) -> None:
    history = History()
    reading = PostgresLog.open(own_server.url())
    logs: list[EventLog] = [
        PostgresLog.open(own_server.url()),
        PostgresLog.open(own_server.url()),
        LoopDoor(PostgresLog.open(own_server.url())),
        LoopDoor(PostgresLog.open(own_server.url())),
    ]
    with Follower(reading) as follower:
        writers = WriterThreads(history, logs)
        writers.write_more(100)
        own_server.stop()  # fast: what is under way is broken off
        own_server.start()
        writers.write_more(100)
        # One backend: PostgreSQL then ends all of them and recovers by itself.
        kill_one(idle_backend(own_server))
        writers.write_more(100)
        kill(own_server)
        own_server.start()
        writers.write_more(100)
        writers.end()
    history.check(reading, follower)
    assert history.lost >= 3
    for log in (reading, *logs):
        log.close()


@pytest.mark.parametrize("door", ["threads", "loop"])
def test_a_server_that_turns_read_only_is_away_to_writers_and_back_without_a_restart(
    own_server: PostgresServer, door: str
) -> None:
    """As a standby is to those who come to it after a failover, until it is promoted."""
    opened = PostgresLog.open(own_server.url())
    log: EventLog = LoopDoor(opened) if door == "loop" else opened
    version = 0
    with psycopg.connect(own_server.url(), autocommit=True) as sql:
        sql.execute("SET default_transaction_read_only = off")  # Here, whatever becomes of the others.
        for setting, refuses in (("on", True), ("off", False)):
            sql.execute(f"ALTER SYSTEM SET default_transaction_read_only = {setting}".encode())
            sql.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + SECONDS_MAX
            while True:  # The setting takes its moment.
                try:
                    append(log, adding("cart-a", version))
                    version += 1
                    refused = False
                except StoreUnavailable as error:
                    assert "read-only" in str(error)
                    refused = True
                if refused == refuses:
                    break
                assert time.monotonic() < deadline
    assert log.head() == version > 0
    log.close()


@pytest.fixture
def small_disk(server_place: ServerPlace) -> Iterator[Path]:
    """A file system of its own, whose whole content is the test's to fill."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = server_place.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=150m,mode=0777", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture(params=["tables", "wal"])
def small_server(
    request: pytest.FixtureRequest, server_place: ServerPlace, new_cluster: Path, small_disk: Path
) -> Iterator[PostgresServer]:
    """A server with all of it, or its log of what was written, on the small disk."""
    sockets = server_place.folder / "o"
    sockets.mkdir(mode=0o770)
    if not server_place.account.is_us:
        shutil.chown(sockets, server_place.account.uid)
    folder = (small_disk if request.param == "tables" else server_place.folder) / "full"
    server = PostgresServer(
        programs=server_place.binaries.postgres,
        folder=folder,
        sockets=sockets,
        account=server_place.account,
        log=small_disk / "postgres.log",
    )
    copy_cluster(new_cluster, folder)
    if request.param == "wal":
        (folder / "pg_wal").rename(folder / "pg_wal.was")
        subprocess.run(["cp", "-a", str(folder / "pg_wal.was"), str(small_disk / "wal")], check=True)
        (folder / "pg_wal").symlink_to(small_disk / "wal")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)
    shutil.rmtree(sockets)


@pytest.mark.parametrize("door", ["threads", "loop"])
def test_a_full_disk_refuses_and_what_was_acknowledged_stays(
    small_disk: Path, small_server: PostgresServer, door: str
) -> None:
    history = History()
    opened = PostgresLog.open(small_server.url())
    log: EventLog = LoopDoor(opened) if door == "loop" else opened
    ballast = small_disk / "ballast"
    leave_free(small_disk, ballast, 6 * 1024 * 1024)
    number = 0
    while history.lost < 3:
        large = NewEvent(f"cart-{number}", "cart.item_added", 1, os.urandom(100_000))
        history.append(log, entry({large.stream: 0}, events=[large], verdict="accepted"))
        number += 1
        assert number < 1000
    ballast.unlink()
    stopped = (small_disk / "wal").exists()
    server_log = (small_disk / "postgres.log").read_text()
    assert ("PANIC:" in server_log) == stopped
    # Without room for its log PostgreSQL recovers, or stops altogether: who supervises it starts it again.
    wait_until(lambda: answers(log) or small_server.process.poll() is not None)
    if small_server.process.poll() is not None:
        small_server.start()
    again = [sent for sent in history.sent.values() if sent.command_id not in history.answers]
    assert len(again) == 3
    for sent in again:
        history.append(log, sent)
    (outcome,) = history.append(log, entry({"cart-after": 0}, "cart-after")) or ()
    assert isinstance(outcome, Appended)
    assert len(history.check(log)) == number + 1
    log.close()


def leave_free(disk: Path, ballast: Path, size: int) -> None:
    with ballast.open("wb") as file:
        left = shutil.disk_usage(disk).free - size
        while left > 0:
            left -= file.write(b"\0" * min(left, 1024 * 1024))


def answers(log: EventLog) -> bool:
    """Whether it can be read now."""
    try:
        log.head()
    except StoreUnavailable:
        return False
    return True
