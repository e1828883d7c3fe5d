"""The restore drill: a base backup, the archive of what was written since, and a moment to go back to."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.children import spawn
from deploy.local.postgres import SOCKET_PORT, USER, PostgresServer
from event_store.postgres_log import PostgresLog
from replays.findings import Finding
from replays.verify import verify
from tests.conftest import ServerPlace
from tests.event_store.history import check_order, whole_log
from tests.replays.shop import ANNA, BORIS, CODEC, MUG, Shop

pytestmark = pytest.mark.slow

SUBJECTS = [f"guest-{order_id}" for order_id in (ANNA, BORIS)]


@dataclass
class Archived:
    """A server that archives what it writes, and where its backups go."""

    place: ServerPlace
    server: PostgresServer
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs, as the servers' user."""
        log = self.folder / f"{program}.log"
        one = replace(
            self.server.program,
            name=program,
            command=[str(self.place.binaries.postgres / program), *arguments],
            log=log,
            folder=self.folder,
        )
        assert spawn(one).wait() == 0, log.read_text()

    def back_up(self, name: str) -> Path:
        """A base backup, as it is taken every day."""
        target = self.folder / name
        self.run(
            "pg_basebackup",
            *("-D", str(target), "-h", str(self.place.folder / "o"), "-p", str(SOCKET_PORT), "-U", USER),
            *("--wal-method=none", "--checkpoint=fast", "--no-password"),
        )
        return target

    def restored(self, backup: Path, *, to: datetime) -> PostgresServer:
        """A server on the backup and the archive, as it was at that time."""
        settings = {
            "restore_command": f"cp {self.archive}/%f %p",
            "recovery_target_time": to.isoformat(sep=" "),
            "recovery_target_action": "promote",
            "archive_mode": "off",  # What it goes on to write is another history.
        }
        with (backup / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (backup / "recovery.signal").touch()
        return PostgresServer(
            programs=self.place.binaries.postgres,
            folder=backup,
            sockets=self.place.folder / "o",
            account=self.place.account,
            log=self.folder / "restored.log",
        )


@pytest.fixture
def archived(own_server: PostgresServer, server_place: ServerPlace) -> Iterator[Archived]:
    folder = server_place.folder / "backups"
    (folder / "archive").mkdir(parents=True)
    if not server_place.account.is_us:
        for one in (folder, folder / "archive"):
            shutil.chown(one, server_place.account.uid)
    archived = Archived(server_place, own_server, folder)
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        for setting in (
            "archive_mode = 'on'",
            f"archive_command = 'test ! -f {archived.archive}/%f && cp %p {archived.archive}/%f'",
            "archive_timeout = '5min'",
        ):
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
    own_server.stop()
    own_server.start()
    yield archived
    shutil.rmtree(folder)


def test_a_log_is_brought_back_to_a_moment_after_its_last_backup(archived: Archived) -> None:
    log = PostgresLog.open(archived.server.url())
    shop = Shop(log)
    shop.whole_story()
    backup = archived.back_up("monday")
    in_backup = log.head()
    for _ in range(100):
        shop.receive(quantity=1)
    secret, keys = log.installation_secret(), log.subject_keys(SUBJECTS)
    with psycopg.connect(archived.server.url(), autocommit=True) as sql:
        before = whole_log(log)
        (moment,) = sql.execute("SELECT clock_timestamp()").fetchone() or ()
        time.sleep(0.05)
        # Then somebody with the owner's rights loses half of the books, and the shop goes on for a while.
        sql.execute("SET search_path = daybook")
        sql.execute("DELETE FROM events WHERE stream LIKE 'order-%'")
        sql.execute("DELETE FROM subject_keys")
        shop.receive(quantity=1)
        (segment,) = sql.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ()
    until((archived.archive / segment).exists)
    log.close()
    for process in (postmaster := psutil.Process(archived.server.process.pid), *postmaster.children()):
        process.kill()
    archived.server.process.wait()
    archived.server.stop()

    restored = archived.restored(backup, to=moment)
    restored.start()
    try:
        until(lambda: not in_recovery(restored))
        log = PostgresLog.open(restored.url())
        after = whole_log(log)
        check_order(after)
        assert after == before
        assert len(after) == in_backup + 100
        assert (log.installation_secret(), log.subject_keys(SUBJECTS)) == (secret, keys)
        assert len(keys) > 0
        findings: list[Finding] = []
        assert verify(log, CODEC, report=findings.append).head == len(before)
        assert findings == []
        shop.log = log
        shop.versions[f"stock-{MUG}"] -= 1  # What came after the moment was lost.
        shop.receive(quantity=1)
        assert log.head() == len(before) + 1
        log.close()
    finally:
        restored.stop()


def test_an_archive_without_keys_is_opened_by_the_keys_that_are_kept_apart(archived: Archived) -> None:
    log = PostgresLog.open(archived.server.url())
    Shop(log).whole_story()
    before, keys = whole_log(log), log.subject_keys(SUBJECTS)
    log.close()
    there = ("-h", str(archived.place.folder / "o"), "-p", str(SOCKET_PORT), "-U", USER)
    books, kept_apart = (str(archived.folder / name) for name in ("books.sql", "keys.sql"))
    only_books = ("--schema=daybook", "--exclude-table-data=daybook.subject_keys")
    archived.run("pg_dump", *there, *only_books, "-f", books, "postgres")
    archived.run(
        "pg_dump", *there, "--data-only", "--table=daybook.subject_keys", "-f", kept_apart, "postgres"
    )
    assert not any(key.hex() in Path(books).read_text() for key in keys.values())

    archived.run("createdb", *there, "again")
    archived.run("psql", *there, "-q", "-v", "ON_ERROR_STOP=1", "-d", "again", "-f", books)
    log = PostgresLog.open(archived.server.url("again"))
    assert whole_log(log) == before
    assert log.subject_keys(SUBJECTS) == {}
    archived.run("psql", *there, "-q", "-v", "ON_ERROR_STOP=1", "-d", "again", "-f", kept_apart)
    assert log.subject_keys(SUBJECTS) == keys
    findings: list[Finding] = []
    verify(log, CODEC, report=findings.append)
    assert findings == []
    assert log.insert_events([("library-1", 1, "things.moved", b"{}")]) == [len(before) + 1]
    log.close()


def in_recovery(server: PostgresServer) -> bool:
    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
