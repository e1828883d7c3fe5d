"""Base backups, an archive of the WAL, and servers brought back: as docs/operating-the-log.md says."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import psycopg

from deploy.local.servers.account import Account
from deploy.local.servers.postgres import SOCKET_PORT, USER, PostgresServer
from deploy.local.supervision.child_processes import spawn


@dataclass
class Archived:
    """A server that archives what it writes, and where its backups go."""

    server: PostgresServer
    programs: Path
    sockets: Path
    account: Account
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def begin(self) -> None:
        """Makes the folders and turns archiving on, which takes a restart."""
        self.archive.mkdir(parents=True)
        if not self.account.is_us:
            for one in (self.folder, self.archive):
                shutil.chown(one, self.account.uid)
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            for setting in (
                "archive_mode = 'on'",
                f"archive_command = 'test ! -f {self.archive}/%f && cp %p {self.archive}/%f'",
                "archive_timeout = '5min'",
            ):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        self.server.stop()
        self.server.start()

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs, or of the system's, as the servers' user."""
        log = self.folder / f"{program}.log"
        own = self.programs / program
        one = replace(
            self.server.program,
            name=program,
            command=[str(own) if own.exists() else program, *arguments],
            log=log,
            folder=self.folder,
        )
        assert spawn(one).wait() == 0, log.read_text()

    def back_up(self, name: str) -> Path:
        """A base backup, as it is taken every day."""
        target = self.folder / name
        self.run(
            "pg_basebackup",
            *("-D", str(target), "-h", str(self.sockets), "-p", str(SOCKET_PORT), "-U", USER),
            *("--wal-method=none", "--checkpoint=fast", "--no-password"),
        )
        return target

    def finish(self) -> None:
        """Waits until all that was written is in the archive."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            (segment,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ()
        deadline = time.monotonic() + 120
        while not (self.archive / segment).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def restored(self, backup: Path, *, to: datetime | None = None) -> PostgresServer:
        """A server on the backup and the archive, to be started: as it was at that time, or at the end."""
        settings = {
            "restore_command": f"cp {self.archive}/%f %p",
            "recovery_target_action": "promote",
            "archive_mode": "off",  # What it goes on to write is another history.
        }
        if to is not None:
            settings["recovery_target_time"] = to.isoformat(sep=" ")
        with (backup / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (backup / "recovery.signal").touch()
        return PostgresServer(
            programs=self.programs,
            folder=backup,
            sockets=self.sockets,
            account=self.account,
            log=self.folder / "restored.log",
        )


def wait_promoted(server: PostgresServer, seconds_max: float) -> None:
    """Until the server has replayed what it was to replay, and takes appends."""
    deadline = time.monotonic() + seconds_max
    while True:
        with psycopg.connect(server.url()) as connection:
            if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)
