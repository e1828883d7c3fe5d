"""The raw ceilings: what the same server software does when it has nothing to do but answer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import Any

from tests.bench.load import Report, http_request, put_load

BODY = b"x" * int(os.environ.get("BARE_BYTES", "500"))


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers every request with bytes it has at hand."""
    if scope["type"] != "http":
        return
    length = str(len(BODY)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": BODY})


async def bare_pages(size: int) -> Report:
    """Pages of `size` bytes from uvicorn without a framework, a store or a log line."""
    port = free_port()
    options = ["--loop", "uvloop", "--http", "httptools", "--log-level", "error", "--lifespan", "off"]
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "tests.bench.bare:app", "--port", str(port), *options],
        env=dict(os.environ, BARE_BYTES=str(size)),
    )
    try:
        wait_listening(port)
        return await put_load(port, lambda _n, _turn: http_request("GET", "/"))
    finally:
        server.terminate()
        server.wait()


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
