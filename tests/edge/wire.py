"""HTTP byte by byte."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from tests.waiting import SECONDS_MAX, wait_until

HOST = b"Host: localhost\r\n"


@dataclass(frozen=True)
class Answer:
    """One that was read whole."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """Status and type, of a problem that is as it should be."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        assert self.json["title"]
        assert self.json["detail"]
        assert re.fullmatch("[0-9a-f]{32}", self.headers["trace-id"]), self
        return self.status, self.json["type"].removeprefix("/problems/")


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def answer(self, method: str = "GET") -> Answer:
        response = HTTPResponse(self.socket, method=method)
        response.begin()
        body = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def until_read(self) -> None:
        """Waits until the server has accepted the connection and read all that was sent."""
        wait_until(lambda: self._server_end()[1:] == ("00000000", True))

    def until_ended(self) -> None:
        """Waits until the server holds the connection open no more."""
        wait_until(lambda: self._server_end()[0] != "01")

    def _server_end(self) -> tuple[str, str, bool]:
        """What the kernel notes of the connection's other end: its state, the bytes that wait to be read, and
        whether a process has accepted it."""
        ours, theirs = (f":{name[1]:04X}" for name in (self.socket.getsockname(), self.socket.getpeername()))
        for line in Path("/proc/net/tcp").read_text().splitlines():
            _, local, remote, state, queues, *_ = line.split()
            if local.endswith(theirs) and remote.endswith(ours):
                return state, queues.partition(":")[2], line.split()[9] != "0"
        return "gone", "", False

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """All that still comes until the server closes. Raises ConnectionResetError where it resets."""
        received = b""
        while more := self.socket.recv(65536):
            received += more
        return received


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as connection:
        yield Wire(connection)


def ask(port: int, *parts: bytes, method: str = "GET") -> Answer:
    """One request on a connection of its own."""
    with wire(port) as line:
        line.send(*parts)
        return line.answer(method)


def get(port: int, path: str, *headers: bytes, method: str = "GET", host: bytes = HOST) -> Answer:
    return ask(
        port, b"%s %s HTTP/1.1\r\n" % (method.encode(), path.encode()), host, *headers, b"\r\n", method=method
    )


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])
