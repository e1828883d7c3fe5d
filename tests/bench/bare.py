"""Bare FastAPI routes: what the framework and the server do when the shop has nothing to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from starlette.responses import Response

from commands.http.add_item import ItemBody

BODY = b"x" * int(os.environ.get("BARE_BYTES", "500"))
RESPONSE = b'{"id":"0123456789abcdef0123456789abcdef01234567","version":12,"position":123456}'

app = FastAPI(openapi_url=None)


@app.get("/page")
async def page() -> Response:
    """As many bytes as the product page has."""
    return Response(BODY, media_type="application/json")


@app.post("/items")
async def add_item(body: ItemBody) -> Response:
    """Validates what adding to a cart validates, and answers as many bytes."""
    return Response(RESPONSE, media_type="application/json")


@contextmanager
def bare_server(page_bytes: int) -> Iterator[tuple[str, int]]:
    """Its address and its process's number: uvicorn on uvloop and httptools, no log line."""
    port = free_port()
    options = ["--loop", "uvloop", "--http", "httptools", "--log-level", "error", "--lifespan", "off"]
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "tests.bench.bare:app", "--port", str(port), *options],
        env=dict(os.environ, BARE_BYTES=str(page_bytes)),
    )
    try:
        wait_listening(port)
        yield f"http://127.0.0.1:{port}", server.pid
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
