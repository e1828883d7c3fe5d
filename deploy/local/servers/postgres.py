"""The embedded PostgreSQL: one cluster in one folder, on a unix socket only, durable.

The wheel's own supervisor forgets a server after a `kill -9` and gives recovery ten seconds; ours does not.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from deploy.local.errors import CannotRun, FolderUnusable, ServerFailed
from deploy.local.servers.account import Account
from deploy.local.servers.server import Server
from deploy.local.supervision.child_processes import (
    Program,
    end_processes,
    last_line,
    plain_environment,
    resume_tree,
    spawn,
)

MAJOR_VERSION = "18"
USER = "daybook"
SOCKET_PORT = 54180  # only part of the socket's name: no port is opened

SETTINGS = {
    "listen_addresses": "",
    "port": str(SOCKET_PORT),
    "unix_socket_permissions": "0777",  # The folder around it is what lets people in or not.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "jit": "off",  # Our queries are short; compiling them costs more than it saves.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_startup_progress_interval": "2s",
    "log_line_prefix": "%m [%p] ",
}


class PostgresServer(Server):
    """One PostgreSQL server."""

    def __init__(self, *, programs: Path, folder: Path, sockets: Path, account: Account, log: Path) -> None:
        """`programs` holds initdb and postgres; `folder` becomes the cluster (its parent must exist and be
        writable for us); `sockets` exists, and `account` may write there."""
        super().__init__(folder=folder, account=account, log=log)
        self._programs = programs
        self._sockets = sockets

    @property
    def socket(self) -> Path:
        return self._sockets / f".s.PGSQL.{SOCKET_PORT}"

    @property
    def program(self) -> Program:
        settings = SETTINGS | {"unix_socket_directories": str(self._sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            command=[str(self._programs / "postgres"), "-D", str(self.folder), *options],
            log=self._log,
            environment=plain_environment(),
            folder=self.folder,
            account=self._account,
            stop_signals=((signal.SIGINT, 60.0), (signal.SIGQUIT, 20.0)),  # fast, then immediate
            death_signal=signal.SIGINT,
        )

    def url(self, database: str = "postgres", *, user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self._sockets), safe='')}&port={SOCKET_PORT}"

    def check(self) -> None:
        if not self.folder.exists():
            return
        try:
            version = (self.folder / "PG_VERSION").read_text(errors="replace").strip()
        except OSError as error:
            raise FolderUnusable(f"{self.folder} is damaged: PG_VERSION: {error.strerror}") from error
        if version != MAJOR_VERSION:
            raise FolderUnusable(
                f"{self.folder} is damaged or another version's: PG_VERSION says {version[:20]!r}, "
                f"this is PostgreSQL {MAJOR_VERSION}"
            )
        if not (self.folder / "global" / "pg_control").is_file():
            raise FolderUnusable(f"{self.folder} is damaged: global/pg_control is missing")
        if self.folder.stat().st_uid != self._account.uid:
            raise FolderUnusable(f"{self.folder} belongs to another user")

    def prepare(self) -> None:
        self.check()
        if self.folder.exists():
            self._end_orphans()
        else:
            self._initialize()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _starting(self, last_words: str) -> str:
        return f"PostgreSQL is starting: {last_words}"

    def _failure(self, last_words: str) -> CannotRun:
        return ServerFailed(f"PostgreSQL ended while starting: {last_words}")

    def _initialize(self) -> None:
        # Made aside and renamed: a folder of that name is a whole cluster or was damaged later.
        temporary = Path(tempfile.mkdtemp(dir=self.folder.parent, prefix=f"{self.folder.name}-making-"))
        if not self._account.is_us:
            shutil.chown(temporary, self._account.uid, self._account.gid)
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb = Program(
            name="initdb",
            command=[
                *(str(self._programs / "initdb"), "-D", str(temporary), "-U", USER, "--auth-local=trust"),
                *("--auth-host=reject", "--data-checksums", "--no-instructions", *options),
            ],
            log=self._log,
            environment=plain_environment(),
            folder=temporary,
            account=self._account,
        )
        try:
            if spawn(initdb).wait() != 0:
                raise ServerFailed(f"PostgreSQL could not set up {self.folder}: {last_line(self._log)}")
            temporary.rename(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _end_orphans(self) -> None:
        """End a server that a killed supervisor left on this folder, down to its last process."""
        postmaster = self._recorded_postmaster()
        if postmaster is not None:
            with suppress(psutil.Error):
                postmaster.send_signal(signal.SIGINT)
                resume_tree(postmaster)
                postmaster.wait(timeout=60)
        # A killed postmaster's workers see it within moments, but for those that were stopped. Only then may
        # the two files with its number go: PostgreSQL itself would take any process that bears it by now, or
        # what nobody has taken note of yet, for a running server.
        end_processes(self._workers(), seconds=20, number=signal.SIGQUIT)
        if self._workers():
            raise FolderUnusable(f"{self.folder} is still in use by a PostgreSQL that does not end")
        for named in (self.folder / "postmaster.pid", self.socket.with_name(f"{self.socket.name}.lock")):
            named.unlink(missing_ok=True)

    def _workers(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._works_here(process)]

    def _recorded_postmaster(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int((self.folder / "postmaster.pid").read_text().split("\n", 1)[0]))
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process if self._works_here(process) else None

    def _works_here(self, process: psutil.Process) -> bool:
        """Every process of a server has the cluster as its working folder."""
        try:
            return process.name().startswith("postgres") and Path(process.cwd()) == self.folder.resolve()
        except (psutil.Error, OSError):
            return False
