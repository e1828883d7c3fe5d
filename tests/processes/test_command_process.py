"""The system's processes as the operating system sees them: how they end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.servers.postgres import PostgresServer
from event_store.postgres.log import PostgresLog
from event_store.records import Entry, NewEvent
from tests.servers import kill
from tests.suspended import suspended
from tests.waiting import SECONDS_MAX, wait_until


class Running:
    """One of `daybook serve`'s processes."""

    def __init__(self, part: str, postgres_url: str, redis_url: str, folder: Path) -> None:
        # Bound until the test ends, without listening: nobody else gets the port before the process does.
        self.reserved = socket.socket()
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reserved.bind(("127.0.0.1", 0))
        port = self.reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._output = folder / f"{part}.log"
        settings = {
            "DAYBOOK_POSTGRES_URL": postgres_url,
            "DAYBOOK_REDIS_URL": redis_url,
            "DAYBOOK_DATA_DIR": str(folder),
            "DAYBOOK_COMMANDS_PORT": str(port),
            "DAYBOOK_READ_PORT": str(port),
        }
        words = [sys.executable, "-P", "-m", "daybook", "serve", part]
        with self._output.open("wb") as out:
            self.process = subprocess.Popen(words, env=os.environ | settings, stdout=out, stderr=out, cwd="/")

    @property
    def output(self) -> str:
        return self._output.read_text()

    def status(self, path: str) -> int:
        """0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=SECONDS_MAX) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(SECONDS_MAX)


@pytest.fixture
def started(redis_url: str, tmp_path: Path) -> Iterator[Callable[[str, str], Running]]:
    running: list[Running] = []

    def start(part: str, postgres_url: str) -> Running:
        running.append(Running(part, postgres_url, redis_url, tmp_path))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one.reserved.close()


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    with suspended(server.process.pid):
        yield


def test_every_process_stops_in_time_while_postgres_is_silent(
    postgres_server: PostgresServer, fresh_postgres: str, started: Callable[[str, str], Running]
) -> None:
    PostgresLog.open(fresh_postgres).close()
    running = [started(part, fresh_postgres) for part in ("commands", "projector", "query")]
    commands, projector, query = running
    wait_until(lambda: commands.status("/health/ready") == 200, why=lambda: commands.output)
    wait_until(lambda: "projector runs" in projector.output, why=lambda: projector.output)
    wait_until(lambda: query.status("/health/ready") == 200, why=lambda: query.output)
    with frozen(postgres_server):
        for one in running:
            one.process.terminate()
        assert [one.wait() for one in running] == [0, 0, 0], [one.output for one in running]


@pytest.mark.slow
def test_every_process_stops_in_time_while_postgres_is_gone(
    own_server: PostgresServer, started: Callable[[str, str], Running]
) -> None:
    PostgresLog.open(own_server.url()).close()
    commands, projector = (started(part, own_server.url()) for part in ("commands", "projector"))
    wait_until(lambda: commands.status("/health/ready") == 200, why=lambda: commands.output)
    wait_until(lambda: "projector runs" in projector.output, why=lambda: projector.output)
    kill(own_server)
    assert commands.status("/health/ready") == 503
    commands.process.terminate()
    projector.process.terminate()
    assert (commands.wait(), projector.wait()) == (0, 0), commands.output + projector.output
    own_server.start()


def test_a_process_manager_that_ends_by_itself_ends_its_process_with_a_line(
    fresh_postgres: str, started: Callable[[str, str], Running]
) -> None:
    log = PostgresLog.open(fresh_postgres)
    commands = started("commands", fresh_postgres)
    wait_until(lambda: commands.status("/health/ready") == 200, why=lambda: commands.output)
    stream = f"checkout-{'e' * 32}"
    entry = Entry(
        command_id=uuid4(),
        name="by_hand",
        verdict="accepted",
        reads={stream: 0},
        events=[NewEvent(stream, "payments.step_begun", 1, b"{}")],  # which nobody can read
        actor="test:",
        channel="test",
    )
    log.append([entry])
    assert commands.wait() == 1
    lines = [line for line in commands.output.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith("daybook: process manager payment has ended: DecodingFailed:")
    log.close()
