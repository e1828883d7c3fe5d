"""Daybook's own processes: each one's command, environment and readiness check."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.local.addresses import Addresses
from deploy.local.errors import ServerFailed
from deploy.local.supervision.child_processes import Program, last_line
from event_store.retries import RetryPolicy
from projections.engine.partitions import PARTITIONS

MARKER_VARIABLE = "DAYBOOK_DEMO_MARKER"
SHARDS_VARIABLE = "DAYBOOK_PROJECTOR_SHARDS"
METRICS_PORT_VARIABLE = "DAYBOOK_PROJECTOR_METRICS_PORT"
_KAFKA = "DAYBOOK_KAFKA_"


class OwnPrograms:
    """The processes of one local system, as programs to be started."""

    def __init__(self, addresses: Addresses, *, logs: Path, feed_url: str, marker: Path | None) -> None:
        """`feed_url` reaches the log with a role that can only read events; while `marker` names a file that
        is not there, readiness waits for the demo."""
        self._logs = logs
        environment = dict(os.environ) | addresses.environment | {"PYTHONUNBUFFERED": "1"}
        environment.pop(MARKER_VARIABLE, None)
        if marker is not None:
            environment[MARKER_VARIABLE] = str(marker)
        self._environment = environment
        self._feed_url = feed_url

    def commands(self, listening: socket.socket, *, number: int, of: int) -> Program:
        name = "commands" if of == 1 else f"commands-{number}"
        return self._own(name, "serve", "commands", listening=listening)

    def projectors(self, many: int) -> list[Program]:
        """With several, the views are cut into as many shards as can be spread, unless a setting says how
        many; each serves its metrics on a port of its own, from the one that was set upwards."""
        if many == 1:
            return [self._own("projector", "serve", "projector")]
        environment = {SHARDS_VARIABLE: str(PARTITIONS)} | dict(self._environment)
        port = environment.get(METRICS_PORT_VARIABLE)
        return [
            self._own(
                f"projector-{number}",
                "serve",
                "projector",
                environment=environment
                | ({} if port is None else {METRICS_PORT_VARIABLE: str(int(port) + number - 1)}),
            )
            for number in range(1, many + 1)
        ]

    def query(self, listening: socket.socket) -> Program:
        # It holds no address that could write to the log or open what is personal, so no mistake in it can.
        without = {name: value for name, value in self._environment.items() if not name.startswith(_KAFKA)}
        only_reads = without | {"DAYBOOK_POSTGRES_URL": self._feed_url}
        return self._own("query", "serve", "query", listening=listening, environment=only_reads)

    def demo(self, name: str) -> Program:
        return self._own(f"demo-{name}", "demo", name)

    def _own(
        self,
        name: str,
        *arguments: str,
        listening: socket.socket | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        handed = [] if listening is None else [listening.fileno()]
        options = [part for number in handed for part in ("--socket", str(number))]
        return Program(
            name=name,
            # -P: a folder that happens to be called `commands` where we stand is not our package.
            command=[sys.executable, "-P", "-m", "daybook", *arguments, *options],
            log=self._logs / f"{name}.log",
            environment=environment or self._environment,
            folder=Path.cwd(),
            stop_signals=((signal.SIGTERM, 15.0),),
            inherited=handed,
        )


def wait_answering(name: str, url: str, log: Path) -> Callable[[subprocess.Popen[bytes]], None]:
    """A check that blocks until `url` answers with 200. Raises ServerFailed when the process ends first."""

    def check(process: subprocess.Popen[bytes]) -> None:
        pauses = RetryPolicy(pause_first=0.05, pause_max=0.5).pauses()
        while not answers(url):
            if process.poll() is not None:
                raise ServerFailed(f"{name} ended while starting: {last_line(log)} (log: {log})")
            time.sleep(next(pauses))

    return check


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
