"""Receivers of webhooks: real HTTP servers on this machine that do as a test tells them."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.waiting import SECONDS_MAX


@dataclass(frozen=True)
class Received:
    """One request."""

    target: str
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def position(self) -> int:
        """Of the event in the log; 0 for a ping."""
        found: int = self.event.get("position", 0)
        return found

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a whole response; header names with _ for -."""
    named = {"Content_Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


Behavior = Callable[["Receiver", Received], Awaitable[bytes | None]]
"""What is answered to a request; None: the connection is dropped."""


async def takes(receiver: Receiver, received: Received) -> bytes | None:
    return response(204)


@dataclass
class Receiver:
    """What it has got so far, and how it behaves from now on."""

    behavior: Behavior = takes
    received: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)  # of those the ones that were answered with 2xx
    connections: int = 0
    port: int = 0
    under_way: int = 0
    under_way_max: int = 0

    def url(self, host: str = "127.0.0.1", path: str = "/hook", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def positions(self) -> list[int]:
        """Of what was taken, in order."""
        return [one.position for one in self.taken]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (received := await read_request(reader)) is not None:
                self.received.append(received)
                self.under_way += 1
                self.under_way_max = max(self.under_way_max, self.under_way)
                try:
                    answer = await self.behavior(self, received)
                finally:
                    self.under_way -= 1
                if answer is None:
                    return
                if answer.startswith(b"HTTP/1.1 2"):
                    self.taken.append(received)
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    """None at the connection's end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines if line)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split(" ")[1], headers, body)


@asynccontextmanager
async def receiving(
    behavior: Behavior = takes, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver, until the context is left."""
    receiver = Receiver(behavior)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def in_turn(*answers: bytes | None) -> Behavior:
    """These for each event's attempts in turn, the last of them for ever."""
    attempts: Counter[str] = Counter()

    async def behave(receiver: Receiver, received: Received) -> bytes | None:
        attempts[received.id] += 1
        return answers[min(attempts[received.id], len(answers)) - 1]

    return behave


async def until(holds: Callable[[], object], why: Callable[[], str] = lambda: "too slow") -> None:
    """Fails with `why` where it does not come to hold."""
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, why()
        await asyncio.sleep(0.01)
