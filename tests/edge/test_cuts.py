"""A network cuts what is sent wherever it likes: the answers are the same."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from deploy.edge.bodies import Bodies
from deploy.edge.middleware import HeadRequests
from deploy.edge.protocol import EdgeProtocol, EdgeState
from tests.edge.wire import HOST

OFFER = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
GET = b"GET /get HTTP/1.1\r\n" + HOST + b"\r\n"
HEAD = b"HEAD /head HTTP/1.1\r\n" + HOST + OFFER + b"\r\n"
POST = b"POST /post HTTP/1.1\r\n" + HOST + OFFER + b"Content-Length: 5\r\n\r\nhello"
CHUNKS = b"POST /chunks HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED = CHUNKS + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: trailer\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
CONVERSATIONS = {
    "in order": GET + POST + HEAD + CHUNKED + POST + LAST,
    "two hosts": POST + b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + GET,
    "garbage": CHUNKED + b"@@@\r\n\r\n",
    "a bad chunk": GET + CHUNKS + b"z\r\n",
}


class Line(asyncio.Transport):
    """A connection whose other end reads everything."""

    def __init__(self) -> None:
        super().__init__()
        self.received = b""
        self._closing = False

    def write(self, data: Any) -> None:
        if not self._closing:
            self.received += bytes(data)

    def write_eof(self) -> None:
        self._closing = True

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    abort = close

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    body = await request.body()
    response = f"{scope['method']} {scope['path']} {body!r} {sorted(request.headers)}"
    await PlainTextResponse(response)(scope, receive, send)


async def conversation(pieces: list[bytes]) -> bytes:
    config = uvicorn.Config(
        HeadRequests(Bodies(echo)),
        http=EdgeProtocol,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
    )
    config.load()
    line = Line()
    protocol = EdgeProtocol(config, EdgeState(), {})
    protocol.connection_made(line)
    for piece in pieces:
        protocol.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    return re.sub(rb"(?:date|trace-id): [^\r]*\r\n", b"", line.received)


@pytest.mark.parametrize("name", CONVERSATIONS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_however_it_is_cut_the_answers_are_the_same(name: str, data: st.DataObject) -> None:
    sent = CONVERSATIONS[name]
    whole = asyncio.run(conversation([sent]))
    assert whole.count(b"HTTP/1.1 ") > 1
    assert (b"HTTP/1.1 400" in whole) == (name != "in order")
    assert b"'hello" in whole or name == "a bad chunk"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=12)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert asyncio.run(conversation(pieces)) == whole
    if len(cuts) == 12:
        assert asyncio.run(conversation([bytes([byte]) for byte in sent])) == whole
