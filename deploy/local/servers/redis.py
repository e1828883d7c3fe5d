"""The embedded Redis: the read models' home, on a unix socket only.

What it holds can be built again from the log, so a second's writes may be lost with the machine's power
(append-only file, synced every second); a `kill -9` loses none, and a restart need not rebuild. Files that it
cannot load are put aside, and it begins empty.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psutil
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from deploy.local.errors import CannotRun, ServerFailed, StartsOver
from deploy.local.servers.account import Account
from deploy.local.servers.server import Server
from deploy.local.supervision.child_processes import Program, end_processes, plain_environment

SETTINGS = {
    "port": "0",
    "unixsocketperm": "777",  # The folder around it is what lets people in or not.
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",  # A read model with holes would be a wrong one.
}


_LOG_BYTES = 200_000  # A life that ends in a crash has a long report.
_BEGINNING = "oO0O Redis is starting"
_LOADED = "Ready to accept connections"
_CANNOT_LOAD = re.compile(
    r"Bad file format|reading the append only file|append log file for reading|RDB|loading DB|load DB"
    r"|BUG REPORT|ASSERTION FAILED|append-only file: (?:Is a directory|Permission denied)"
)


class RedisServer(Server):
    """One Redis server."""

    def __init__(self, *, program: Path, folder: Path, sockets: Path, account: Account, log: Path) -> None:
        """`folder` is made where it is missing (its parent must exist and be writable for us); `sockets`
        exists, and `account` may write there."""
        super().__init__(folder=folder, account=account, log=log)
        self._executable = program
        self._sockets = sockets

    @property
    def socket(self) -> Path:
        return self._sockets / "redis.sock"

    @property
    def program(self) -> Program:
        settings = SETTINGS | {"unixsocket": str(self.socket), "dir": str(self.folder)}
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Program(
            name="redis",
            command=[str(self._executable), *options],
            log=self._log,
            environment=plain_environment(),
            folder=self.folder,
            account=self._account,
        )

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def check(self) -> None:
        super().check()
        if self.folder.exists() and self.folder.stat().st_mode & 0o700 != 0o700:
            self.folder.chmod(0o700)

    def prepare(self) -> None:
        self.check()
        if self._cannot_load():
            self._put_aside()
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            if not self._account.is_us:
                shutil.chown(self.folder, self._account.uid, self._account.gid)
        end_processes([process for process in psutil.process_iter() if self._works_here(process)], seconds=20)
        self.socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        once = Retry(NoBackoff(), retries=0)  # Who waits for it asks again.
        with Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=once) as client:
            try:
                return bool(client.ping())
            except (RedisError, OSError):
                return False

    def _starting(self, last_words: str) -> str:
        return "Redis is loading what it kept"

    def _failure(self, last_words: str) -> CannotRun:
        if self._cannot_load():
            return StartsOver(f"{self.folder} is damaged: {last_words}")
        return ServerFailed(f"Redis ended while starting: {last_words}")

    def _cannot_load(self) -> bool:
        """Whether its last life ended over the files that it was to load, going by its log."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - _LOG_BYTES))
                text = file.read(_LOG_BYTES).decode(errors="replace")
        except OSError:
            return False
        life = text[max(0, text.rfind(_BEGINNING)) :]
        return _LOADED not in life and _CANNOT_LOAD.search(life) is not None and any(self.folder.glob("*"))

    def _put_aside(self) -> None:
        damaged = self.folder.with_name(f"{self.folder.name}.damaged")
        shutil.rmtree(damaged, ignore_errors=True)
        self.folder.rename(damaged)
        self.report(
            f"its files were damaged and lie in {damaged}: the read models are built from the log anew"
        )

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "redis-server" and Path(process.cwd()) == self.folder.resolve()
        except (psutil.Error, OSError):
            return False
