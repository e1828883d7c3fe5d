"""A whole system of its own for measuring, on free ports and a folder that is thrown away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

DAYBOOK = Path(sys.executable).with_name("daybook")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_listening(port: int) -> None:
    """Blocks until somebody listens on the port."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return


class System:
    """A `daybook up`, ready; `seconds_to_ready` says how long that took."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data, self.commands, self.query = data, free_port(), free_port()
        environment = dict(
            os.environ,
            DAYBOOK_COMMANDS_PORT=str(self.commands),
            DAYBOOK_READ_PORT=str(self.query),
        )
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [DAYBOOK, "up", "--data", str(data), *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for port in (self.commands, self.query):
            self._wait_ready(port)
        self.seconds_to_ready = time.perf_counter() - begun

    def _wait_ready(self, port: int) -> None:
        while True:
            if self.process.poll() is not None:
                raise SystemExit("daybook up ended; its reason stands above")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
                    return
            except OSError:
                time.sleep(0.02)

    def postgres_url(self) -> str:
        """The system's own PostgreSQL."""
        found: dict[str, Any] = json.loads((self.data / "run" / "addresses.json").read_text())
        return str(found["postgres"])

    def stop(self) -> None:
        """Stops it as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
