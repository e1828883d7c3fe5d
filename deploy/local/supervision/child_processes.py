"""Starting and stopping processes that must not outlive us.

Every child gets its own session, so that a Ctrl-C in the terminal reaches the supervisor alone. On Linux the
kernel signals it when the process that started it dies, however that dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from deploy.local.logs.log_files import as_text
from deploy.local.servers.account import Account, our_account

LAST_LINE_CHARACTERS_MAX = 500
KILLED_SECONDS_MAX = 10.0
"""Until what was killed is gone."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class Program:
    """A process to be started: what, as which user, where its output goes and which signals stop it."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    folder: Path = Path("/")
    account: Account = field(default_factory=our_account)
    stop_signals: Sequence[tuple[signal.Signals, float]] = (
        (signal.SIGTERM, 20.0),
    )  # signal, seconds to obey
    death_signal: signal.Signals = signal.SIGTERM  # what the kernel sends when we die
    inherited: Sequence[int] = ()  # file descriptors that it is handed


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start it. Call from the main thread: the kernel ties the child's life to the thread that forked."""
    parent = os.getpid()

    def tie_to_parent() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(program.death_signal))
            if os.getppid() != parent:  # We died between fork and prctl.
                os._exit(1)

    with _opened(program.log) as log:
        switch = not program.account.is_us
        return subprocess.Popen(
            list(program.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=program.folder,
            env=dict(program.environment),
            start_new_session=True,
            umask=0o077,
            pass_fds=tuple(program.inherited),
            user=program.account.uid if switch else None,
            group=program.account.gid if switch else None,
            extra_groups=[] if switch else None,
            preexec_fn=tie_to_parent,  # noqa: PLW1509 - the supervisor forks in its main thread only
        )


def _opened(log: Path) -> BinaryIO:
    """The log to append to; where it cannot be made, nowhere: what a process does is worth more."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def stop(program: Program, process: subprocess.Popen[bytes]) -> None:
    """End it: each of its stop signals in turn, then SIGKILL. Returns when it is gone."""
    for number, seconds in (*program.stop_signals, (signal.SIGKILL, KILLED_SECONDS_MAX)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        resume(process)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def resume(process: subprocess.Popen[bytes]) -> None:
    """Sends SIGCONT to it and all its children: a stopped process handles no other signal but SIGKILL."""
    if process.poll() is None:
        with suppress(psutil.Error):
            resume_tree(psutil.Process(process.pid))


def resume_tree(first: psutil.Process) -> None:
    """The same of a process that another started."""
    with suppress(psutil.Error):
        for one in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):
                one.resume()


def end_processes(
    processes: Collection[psutil.Process], seconds: float, number: signal.Signals = signal.SIGTERM
) -> None:
    """End processes that are not our children: by the signal, then by SIGKILL.

    Returns when they are gone. A zombie counts as gone: its parent may never reap it.
    """
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
            resume_tree(process)
    if not _gone(processes, seconds):
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        _gone(processes, KILLED_SECONDS_MAX)


def _gone(processes: Collection[psutil.Process], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(lives, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def lives(process: psutil.Process) -> bool:
    """Whether it runs: a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def last_line(log: Path) -> str:
    """The last line that is not blank, as people read it, shown to the operator when the process ended."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read(8192).decode(errors="replace")
    except OSError:
        return "it wrote no log"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return as_text(lines[-1])[:LAST_LINE_CHARACTERS_MAX] if lines else "it wrote no log"


def plain_environment() -> dict[str, str]:
    """What the servers get to see: nothing of ours that could change how they run (PGPORT, PGOPTIONS, …)."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {"LC_ALL": "C", "TZ": "UTC", **kept}
