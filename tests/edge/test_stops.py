"""A server that stops: who asked is answered, who comes late is told so, and nobody is reset."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.edge.serving import served
from tests.edge.wire import HOST, get, port_of, wire
from tests.suspended import suspended
from tests.system.running import RunningSystem, started
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

LIVE = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def own_system() -> Iterator[RunningSystem]:
    """One that this file stops."""
    with started() as system:
        yield system


def test_what_is_under_way_is_answered_and_then_the_connection_ends() -> None:
    with served() as server, wire(server.port) as client, wire(server.port) as late:
        process = psutil.Process(server.process.pid)
        client.send(b"GET /1 HTTP/1.1\r\n", HOST, b"\r\n")
        late.send(b"GET / HTTP/1.1\r\n", HOST)
        client.until_read()
        late.until_read()
        server.process.terminate()
        wait_until(lambda: all(one.status != psutil.CONN_LISTEN for one in process.net_connections()))
        late.send(b"\r\n")
        for line in (late, client):
            answer = line.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert line.rest() == b""
        server.process.wait(timeout=SECONDS_MAX)


def test_a_connection_at_rest_or_half_way_through_a_request_is_closed_not_reset() -> None:
    with (
        served() as server,
        wire(server.port) as resting,
        wire(server.port) as silent,
        wire(server.port) as half,
    ):
        resting.send(b"GET / HTTP/1.1\r\n", HOST, b"\r\n")
        assert resting.answer().status == 200
        half.send(b"GET / HTTP/1.1\r\n")
        half.until_read()
        silent.until_read()
        server.process.terminate()
        assert half.answer().problem == (503, "server-stopping")
        for line in (resting, silent, half):
            assert line.rest() == b""
        server.process.wait(timeout=SECONDS_MAX)


def test_what_takes_too_long_is_told_that_the_server_stops() -> None:
    with served(grace_seconds=1) as server, wire(server.port) as client:
        client.send(b"GET /60 HTTP/1.1\r\n", HOST, b"\r\n")
        client.until_read()
        server.process.terminate()
        assert client.answer().problem == (503, "server-stopping")
        server.process.wait(timeout=SECONDS_MAX)


def test_a_server_that_hangs_ends_all_the_same() -> None:
    with served(stop_seconds=1) as server, wire(server.port) as client:
        client.send(b"GET /never HTTP/1.1\r\n", HOST, b"\r\n")
        client.until_read()
        server.process.terminate()
        assert server.process.wait(timeout=SECONDS_MAX) == -signal.SIGALRM


def test_who_comes_while_nobody_serves_waits_for_the_next_process() -> None:
    with served() as server:
        server.process.terminate()
        server.process.wait(timeout=SECONDS_MAX)
        with wire(server.port) as early:
            early.send(LIVE)
            early.socket.settimeout(0.2)  # Absence: no answer comes.
            with pytest.raises(TimeoutError):
                early.socket.recv(1)


class Visitors:
    """Some who ask a port again and again, each time on a new connection, and note what came of it."""

    def __init__(self, port: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._gone = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def _ask(self) -> None:
        while not self._gone.is_set():
            try:
                outcome = str(get(self._port, "/health/live").status)
            except (OSError, EOFError) as error:
                outcome = type(error).__name__
            self.outcomes[outcome] += 1
            time.sleep(0.01)  # A pace, so that the load leaves room for what is replaced.

    def until_served(self) -> None:
        """Waits until some more were answered with 200."""
        enough = self.outcomes["200"] + 8
        wait_until(lambda: self.outcomes["200"] >= enough)

    @contextmanager
    def coming(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._gone.set()
            for thread in self._threads:
                thread.join()


def test_a_process_that_is_replaced_under_load_resets_nobody(own_system: RunningSystem) -> None:
    for side, name in (("commands", "commands"), ("read", "query")):
        visitors = Visitors(port_of(own_system.addresses[side]))
        (old,) = own_system.children()[name]
        with visitors.coming():
            visitors.until_served()
            old.terminate()
            old.wait(timeout=SECONDS_MAX)
            visitors.until_served()
        assert set(visitors.outcomes) == {"200"}, visitors.outcomes


def test_a_system_that_stops_answers_until_it_has_gone_though_its_database_is_suspended(
    own_system: RunningSystem,
) -> None:
    """The last of its tests."""
    both = [Visitors(port_of(own_system.addresses[side])) for side in ("commands", "read")]
    with both[0].coming(), both[1].coming():
        for visitors in both:
            visitors.until_served()
        (postmaster,) = own_system.children()["postgres"]
        with suspended(postmaster.pid):
            assert own_system.stop() == 0
    for visitors in both:
        assert visitors.outcomes["503"] > 0
        # Who comes between the last look at the queue and its end is reset by the kernel: a moment, once.
        assert visitors.outcomes.pop("ConnectionResetError", 0) <= 2
        assert set(visitors.outcomes) <= {"200", "503", "ConnectionRefusedError"}, visitors.outcomes
