"""The query process as the supervisor starts and stops it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.read_api.shop import Shop

PROGRAM = """
import socket, sys
from read_api.serving import serve_query
from read_api.settings import QuerySettings
serve_query(QuerySettings(), ready_position=lambda: 0, sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def test_the_process_serves_on_a_given_socket_logs_json_and_stops_when_told(
    shop: Shop, fresh_redis: str, tmp_path: Path
) -> None:
    shop.lists("MUG")
    listening = socket.create_server(("127.0.0.1", 0))
    descriptor = listening.fileno()
    environment = {"DAYBOOK_REDIS_URL": fresh_redis, "DAYBOOK_DATA_DIR": str(tmp_path), "PATH": ""}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(descriptor)],
            env=environment,
            pass_fds=[descriptor],
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        answer = httpx.get(f"{address}/api/v1/products/MUG", timeout=20)
        assert answer.json()["available"] == 5
    finally:
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        process.wait(timeout=10)
        listening.close()
    assert time.monotonic() - begun < 5
    assert process.returncode in (0, -signal.SIGTERM)
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["trace_id"] == answer.headers["trace-id"]
