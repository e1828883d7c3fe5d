"""What the embedded servers have in common: they are started, awaited while they recover, and stopped."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from deploy.local.errors import CannotRun, FolderUnusable, StartsOver
from deploy.local.servers.account import Account
from deploy.local.supervision.child_processes import Program, last_line, spawn, stop
from event_store.retries import RetryPolicy

Progress = Callable[[str], None]


def _silent(_line: str) -> None:
    """Reports nothing."""


class Server(ABC):
    """One server in one folder; its starter is the one to stop it."""

    def __init__(self, *, folder: Path, account: Account, log: Path) -> None:
        self.folder = folder
        self._account = account
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.report: Progress = _silent
        """Hears what a person should know of it, from any thread."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that `start` started."""
        if self._process is None:
            raise RuntimeError("the server was not started here")
        return self._process

    @property
    @abstractmethod
    def socket(self) -> Path | None:
        """Where it is reached; None for one that listens on a port."""

    @property
    @abstractmethod
    def program(self) -> Program:
        """How it is run."""

    def check(self) -> None:
        """Raises FolderUnusable where what lies in the folder cannot be this server's."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise FolderUnusable(f"{self.folder} is not a folder; move it away")
        if self.folder.stat().st_uid != self._account.uid:
            raise FolderUnusable(f"{self.folder} belongs to another user")

    @abstractmethod
    def prepare(self) -> None:
        """Makes the folder where there is none; clears away what a kill left. Raises FolderUnusable."""

    def start(self, progress: Progress = _silent) -> None:
        """Prepare, start and wait until it answers."""
        try:
            self._start(progress)
        except StartsOver:
            self._start(progress)

    def _start(self, progress: Progress) -> None:
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

    def wait_ready(self, process: subprocess.Popen[bytes], progress: Progress = _silent) -> None:
        """Wait until it answers: recovery may take as long as it takes while the server lives."""
        pauses = RetryPolicy(pause_first=0.02, pause_max=0.5).pauses()
        reported_at = time.monotonic()
        while process.poll() is None:
            if self._answers():
                return
            if time.monotonic() - reported_at > 2:
                reported_at = time.monotonic()
                progress(self._starting(last_line(self._log)))
            time.sleep(next(pauses))
        raise self._failure(last_line(self._log))

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it takes requests now."""

    @abstractmethod
    def _starting(self, last_words: str) -> str:
        """The progress shown while it does not."""

    @abstractmethod
    def _failure(self, last_words: str) -> CannotRun:
        """Why it ended while starting."""
