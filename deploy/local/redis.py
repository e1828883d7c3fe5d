"""The embedded Redis: the read models' home, on a unix socket only.

What it holds can be drawn up again from the log, so a second's writes may be lost with the machine's power
(append-only file, synced every second); a `kill -9` loses none, and a restart need not rebuild.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from deploy.local.account import Account
from deploy.local.children import Program, last_line, pause_growing, plain_environment, spawn, stop
from deploy.local.errors import CannotRun, FolderUnusable, ServerFailed

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


class RedisServer:
    """One Redis server; whoever starts it is the one to stop it."""

    def __init__(self, *, program: Path, folder: Path, sockets: Path, account: Account, log: Path) -> None:
        """`folder` is made where it is missing (its parent must exist and be writable for us); `sockets`
        exists, and `account` may write there."""
        self._executable = program
        self.folder = folder
        self.socket = sockets / "redis.sock"
        self._account = account
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that `start` started."""
        if self._process is None:
            raise RuntimeError("the server was not started here")
        return self._process

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
        """Raises FolderUnusable where what lies there cannot be this server's."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise FolderUnusable(f"{self.folder} is not a folder; move it away")
        if self.folder.stat().st_uid != self._account.uid:
            raise FolderUnusable(f"{self.folder} belongs to another user")

    def prepare(self) -> None:
        """Make the folder where there is none; end what a killed supervisor left. Raises FolderUnusable."""
        self.check()
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            if not self._account.is_us:
                shutil.chown(self.folder, self._account.uid, self._account.gid)
        leftovers = [process for process in psutil.process_iter() if self._works_here(process)]
        for process in leftovers:
            process.terminate()
        _, alive = psutil.wait_procs(leftovers, timeout=20)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=10)
        self.socket.unlink(missing_ok=True)

    def start(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Prepare, start and wait until it answers."""
        self.prepare()
        self._process = spawn(self.program)
        try:
            self.wait_ready(self._process, progress)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            stop(self.program, self._process)
            self._process = None

    def wait_ready(
        self, process: subprocess.Popen[bytes], progress: Callable[[str], None] = lambda _: None
    ) -> None:
        """Wait until it answers; loading a large file may take as long as it takes while the server lives."""
        pauses = pause_growing(0.02, 0.5)
        told = time.monotonic()
        with Redis(unix_socket_path=str(self.socket), socket_timeout=5) as client:
            while True:
                if process.poll() is not None:
                    raise self._failure(last_line(self._log))
                try:
                    client.ping()
                except (BusyLoadingError, RedisError, OSError):
                    if time.monotonic() - told > 2:
                        told = time.monotonic()
                        progress("Redis is loading what it kept")
                    pauses.sleep()
                else:
                    return

    def _failure(self, reason: str) -> CannotRun:
        if "Bad file format" in reason:
            return FolderUnusable(
                f"{self.folder} is damaged; it holds read models only: move it away, and they are drawn up "
                "from the log again"
            )
        return ServerFailed(f"Redis ended while starting: {reason}")

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "redis-server" and Path(process.cwd()) == self.folder.resolve()
        except (psutil.Error, OSError):
            return False
