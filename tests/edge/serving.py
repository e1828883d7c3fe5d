"""Starting a server of no shop, with few files or little patience."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.edge.wire import get
from tests.waiting import wait_until

BACKLOG = 2048


@dataclass(frozen=True)
class Served:
    """Its port, whose listening socket is the test's, and its process."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def served(
    *, files: int = 1024, unread_seconds: int = 60, grace_seconds: int = 5, stop_seconds: int = 60
) -> Iterator[Served]:
    """One that may open so many files, and waits so long: for an answer to be read, when it stops for what is
    under way, and in all."""
    limits = {"files": files, "unread_seconds": unread_seconds, "grace_seconds": grace_seconds}
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        number = listening.fileno()
        settings = json.dumps(limits | {"stop_seconds": stop_seconds})
        words = ["-m", "tests.edge.served", str(number), settings]
        process = subprocess.Popen([sys.executable, *words], pass_fds=[number])
        try:
            server = Served(listening.getsockname()[1], process)
            wait_until(lambda: get(server.port, "/").status == 200)
            yield server
        finally:
            process.kill()
            process.wait()
