"""The raw ceilings: what the same server software does when it has nothing to do but answer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg

from tests.bench.load import Report, http_request, put_load
from tests.bench.system import free_port, wait_listening

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


def plain_inserts(url: str, *, connections: int, seconds: float = 5.0) -> Report:
    """One INSERT of 300 bytes per commit over so many connections, fsync on."""
    report = Report()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_plain (n bigserial PRIMARY KEY, data bytea)")
    end = time.perf_counter() + seconds
    data = os.urandom(300)

    def insert() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while (sent := time.perf_counter()) < end:
                connection.execute("INSERT INTO bench_plain (data) VALUES (%b)", (data,), prepare=True)
                report.latencies.append(time.perf_counter() - sent)

    threads = [threading.Thread(target=insert) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.statuses[0] = len(report.latencies)
    report.seconds = seconds
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE bench_plain")
    return report
