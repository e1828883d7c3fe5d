"""While the system stops, clients get 503 with Retry-After."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from deploy.edge.problems import STOPPING, on_the_wire
from deploy.edge.requests import trace_of

REQUEST_SECONDS_MAX = 1.0
ACCEPTING_SECONDS = 0.1  # for the last accepted clients' responses to be sent
BACKLOG = 2048


@asynccontextmanager
async def answering_503(*ports: socket.socket) -> AsyncIterator[None]:
    """Answers on these listening sockets, beside the processes that still serve them. In the end they are
    closed, so that later clients are refused at once."""
    answers: set[asyncio.Task[None]] = set()

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_answer(reader, writer))
        answers.add(task)
        task.add_done_callback(answers.discard)

    servers = [await asyncio.start_server(answer, sock=port.dup(), backlog=BACKLOG) for port in ports]
    try:
        yield
    finally:
        for server, port in zip(servers, ports, strict=True):
            server.close()
            late = list(_accept(port))
            port.close()  # At once: connections that enter the queue now are reset.
            for one in late:
                answer(*await asyncio.open_connection(sock=one))
        await asyncio.sleep(ACCEPTING_SECONDS)
        if answers:
            await asyncio.wait(answers)


def _accept(port: socket.socket) -> Iterator[socket.socket]:
    """Every connection in the queue."""
    port.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            yield port.accept()[0]


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The header fields, as far as they are in form."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        yield name.lower(), value.strip()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(REQUEST_SECONDS_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(on_the_wire(STOPPING, trace_of(_fields(head))))
            writer.write_eof()
            while await reader.read(65_536):  # Closed with something unread, the connection would be reset.
                pass
    writer.close()
