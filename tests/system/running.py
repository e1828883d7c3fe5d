"""A real `daybook up`, started by a test in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import SECONDS_MAX, wait_until

_ERRORS_CHARACTERS_MAX = 8_000

_systems: list[RunningSystem] = []


def errors_of_systems() -> list[tuple[str, str]]:
    """Of every system that runs, or that ended in this test: a heading, and the end of its standard error."""
    return [(f"Standard error of daybook up --data {one.data}", one.last_errors()) for one in _systems]


def forget_ended_systems() -> None:
    """Between tests."""
    _systems[:] = [one for one in _systems if not one.has_ended]


def default_signals() -> None:
    """In a new process: what `nohup`, or a shell that runs the tests in the background, had ignored."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class RunningSystem:
    """`daybook up` as its own process, started `through` another program where one is given; what it says
    goes to files in `output`, else beside the data folder."""

    has_ended = False

    def __init__(
        self,
        data: Path,
        *options: str,
        environment: Mapping[str, str] | None = None,
        through: Sequence[str] = (),
        output: Path | None = None,
    ) -> None:
        self.data = data
        output = output or data.parent
        self._out, self._err = output / f"{data.name}.out", output / f"{data.name}.err"
        own = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
        free_ports = {"DAYBOOK_COMMANDS_PORT": "0", "DAYBOOK_READ_PORT": "0"}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*through, sys.executable, "-P", "-m", "daybook", "up", "--data", str(data), *options],
                env=own | free_ports | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd="/",
                preexec_fn=default_signals,  # noqa: PLW1509 - nothing else is done between fork and exec
            )
        _systems.append(self)

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def complained(self) -> str:
        return self._err.read_text()

    @property
    def addresses(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "run" / "addresses.json").read_text())
        return found

    def wait_ready(self, seconds: float = SECONDS_MAX) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"it ended: {self.complained}"
            return "Daybook is ready." in self.said

        wait_until(ready, seconds=seconds, why=lambda: self.complained)

    def children(self) -> dict[str, list[psutil.Process]]:
        """Its processes by what they are: postgres, redis, commands, projector, query."""
        found: dict[str, list[psutil.Process]] = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                name, words = child.name(), child.cmdline()
            except psutil.NoSuchProcess:  # Gone, or killed and not yet looked after.
                continue
            if "serve" in words:
                found.setdefault(words[words.index("serve") + 1], []).append(child)
            elif name in {"postgres", "redis-server"}:
                found.setdefault(name.removesuffix("-server"), []).append(child)
        return found

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=SECONDS_MAX)

    def last_errors(self) -> str:
        """The end of what it wrote to standard error; kept when it has ended, since its folder may go."""
        if not self.has_ended:
            # `/dev/full` has no end.
            self._last_errors = self.complained[-_ERRORS_CHARACTERS_MAX:] if self._err.is_file() else ""
        return self._last_errors

    def end(self) -> None:
        """After a test, whatever happened in it."""
        self._stop_or_kill()
        self.last_errors()
        self.has_ended = True

    def _stop_or_kill(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def tried(system: RunningSystem, environment: Mapping[str, str] | None = None) -> str:
    """Does the three things that `up` says are to be tried, in a shell; what they answered."""
    to_try = system.said.partition("Three things to try:")[2].partition("Ctrl-C")[0]
    lines = [line for line in to_try.splitlines() if line.startswith("   ")]
    assert len(lines) >= 7
    waits = [f"{line}; sleep 1" if "$ORDER" not in line else f"{line}; echo" for line in lines]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(waits)],
        env=os.environ | dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    assert "/problems/" not in done.stdout, done.stdout
    return done.stdout


@contextmanager
def started(
    *options: str, environment: Mapping[str, str] | None = None, seconds: float = SECONDS_MAX
) -> Iterator[RunningSystem]:
    """One that is ready, in a folder where the servers' user may walk through; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-system-", dir="/tmp"))
    folder.chmod(0o755)
    system = RunningSystem(folder / "data", *options, environment=environment)
    try:
        system.wait_ready(seconds)
        yield system
    finally:
        system.end()
        shutil.rmtree(folder)


def refused(data: Path, *options: str, environment: Mapping[str, str] | None = None) -> str:
    """Run an `up` that must not start; its one line on standard error."""
    with tempfile.TemporaryDirectory() as output:  # Beside the data, it would be something left behind.
        system = RunningSystem(data, *options, environment=environment, output=Path(output))
        try:
            code = system.process.wait(timeout=SECONDS_MAX)
        finally:
            system.end()
        said, complained = system.said, system.complained
    assert code != 0
    assert said == ""
    lines = [line for line in complained.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, complained
    return lines[0]


def call(url: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> tuple[int, Any]:
    """GET, or POST with a body; the status and the JSON."""
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    request = urllib.request.Request(url, json.dumps(body).encode() if body is not None else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def daybook(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    words: Sequence[str] = [sys.executable, "-P", "-m", "daybook", *arguments]
    return subprocess.run(
        words,
        env=own | dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
