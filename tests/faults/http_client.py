"""A small HTTP client over connections that stay open: a crowd of clients must cost less than the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


def http_request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request of HTTP/1.1 on a connection that stays open."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{fields}{length}\r\n".encode() + body


ANSWER_SECONDS_MAX = 60.0


class Lost(Exception):  # noqa: N818
    """No answer came: the connection was refused, cut, or silent for too long."""


@dataclass(frozen=True)
class Answer:
    """What came back; headers' names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connections:
    """As many connections as there are requests at once, but no more than `most`."""

    def __init__(self, *, most: int = 100) -> None:
        self._places = asyncio.Semaphore(most)
        self._free: dict[str, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}

    async def send(self, method: str, address: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Raises Lost."""
        async with self._places:
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    reader, writer = await self._connection(address)
                    try:
                        writer.write(http_request(method, path, body, **headers))
                        answer = await _read(reader)
                    except BaseException:
                        writer.close()
                        raise
            except (OSError, EOFError, TimeoutError) as error:
                raise Lost(repr(error)) from error
            self._free.setdefault(address, []).append((reader, writer))
            return answer

    async def close(self) -> None:
        for connections in self._free.values():
            for _, writer in connections:
                writer.close()
        await asyncio.sleep(0)  # The loop drops the closed transports in its next round.

    async def _connection(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        free = self._free.get(address, [])
        while free:
            reader, writer = free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()  # The server closed it while nothing was under way.
        place = urlsplit(address)
        return await asyncio.open_connection(place.hostname, place.port)


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(first.split()[1]), headers, body)
