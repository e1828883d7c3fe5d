"""Who keeps a server waiting: the slow, the silent, and crowds of them."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import IncompleteRead
from itertools import repeat

import pytest

from deploy.edge.protocol import REQUEST_SECONDS_MAX
from tests.edge.served import LARGE_BYTES
from tests.edge.serving import served
from tests.edge.wire import HOST, get, port_of, wire
from tests.system.running import RunningSystem
from tests.waiting import SECONDS_MAX

pytestmark = pytest.mark.slow

LIVE = b"GET /health/live HTTP/1.1\r\n" + HOST
POST = b"POST /api/v1/carts HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SILENT = 1_200

SLOW = {  # what is sent at once, and then again and again
    "silent": (b"", b""),
    "request line": (b"GET /", b"a"),
    "header": (LIVE + b"X: ", b"a"),
    "headers": (LIVE, b"X: a\r\n"),
    "body": (POST + b"Content-Length: 900000\r\n\r\n", b" "),
    "chunked body": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "after an answer": (LIVE + b"\r\n" + b"GET /", b"a"),
    "body of an upgrade": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 9000\r\n\r\n",
        b" ",
    ),
    "line breaks": (LIVE + b"\r\n", b"\r\n"),
}
ANSWERED = dict.fromkeys(SLOW, b" 408 ") | {"silent": b"", "line breaks": b" 200 "}


def kept_waiting(port: int, first: bytes, then: bytes) -> bytes:
    """All that the server says to one who never comes to an end."""
    with wire(port) as line:
        line.send(first)
        line.socket.settimeout(0.5)
        received = b""
        for _ in range(int(REQUEST_SECONDS_MAX * 4)):
            with suppress(TimeoutError):
                more = line.socket.recv(65_536)
                if not more:
                    return received
                received += more
            line.send(then)
    raise AssertionError(f"still open after {received!r}")


def answered_after_a_rest(port: int) -> int:
    with wire(port) as line:
        for pause in (0.0, REQUEST_SECONDS_MAX + 0.5):
            time.sleep(pause)
            line.send(LIVE, b"\r\n")
            status = line.answer().status
    return status


def test_a_request_that_does_not_come_to_its_end_is_ended_and_a_resting_connection_is_not(
    system: RunningSystem,
) -> None:
    ports = [port_of(system.addresses[side]) for side in ("commands", "read")]
    cases = [(name, port) for name in SLOW for port in ports]
    with ThreadPoolExecutor(len(cases) + len(ports)) as slow:
        resting = slow.map(answered_after_a_rest, ports)
        received = slow.map(lambda case: kept_waiting(case[1], *SLOW[case[0]]), cases)
        for (name, _), answer in zip(cases, received, strict=True):
            assert ANSWERED[name] in answer, name
            assert (b"application/problem+json" in answer) == (b"408" in answer), name
            assert answer or name == "silent"
        assert list(resting) == [200, 200]


@contextmanager
def silent(port: int, count: int) -> Iterator[None]:
    with ExitStack() as connections:
        for _ in range(count):
            connections.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX)
            ).sendall(b"G")
        yield


def test_a_crowd_of_the_silent_locks_no_port(port: int) -> None:
    with silent(port, SILENT):
        assert get(port, "/health/live").status == 200
        assert get(port, "/health/ready").status == 200


def test_every_process_may_open_as_many_files_as_it_is_let(system: RunningSystem) -> None:
    everyone = system.children()
    for process in (*everyone["commands"], *everyone["query"], *everyone["projector"]):
        soft, hard = process.rlimit(resource.RLIMIT_NOFILE)
        assert soft == hard


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_an_answer_that_is_read_slowly_is_given_whole(connection: bytes) -> None:
    with served(unread_seconds=2) as server, wire(server.port) as line:
        line.send(b"GET /large HTTP/1.1\r\nConnection: %s\r\n" % connection, HOST, b"\r\n")
        read = 0
        while read < LARGE_BYTES:
            time.sleep(0.1)  # The slowness: in all longer than the server waits for one part.
            more = len(line.socket.recv(2_000_000))
            assert more, read
            read += more


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    with served(unread_seconds=1) as server, wire(server.port) as line:
        line.send(b"GET /large HTTP/1.1\r\n", HOST, b"\r\n")
        line.until_ended()
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            line.answer()


def test_where_files_are_few_the_silent_make_room_for_who_asks() -> None:
    with served(files=200) as server, wire(server.port) as patient:
        patient.send(b"GET /3 HTTP/1.1\r\n", HOST, b"\r\n")
        with silent(server.port, SILENT):
            assert [get(server.port, "/").status for _ in repeat(None, 20)] == [200] * 20
        assert patient.answer().status == 200
