"""Answers whose length nobody knows, to clients of HTTP/1.0: they know no chunks, so the connection's end is
the answer's. nginx asks in HTTP/1.0 unless it is told otherwise.
"""

from __future__ import annotations

from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def without_chunks(cycle: RequestResponseCycle, app: Any) -> Any:
    """The application, for one request whose answer must not be chunked."""

    async def unchunked(scope: Scope, receive: Receive, send: Send) -> None:
        ends_by_close = False

        async def send_unchunked(message: Message) -> None:
            nonlocal ends_by_close
            if message["type"] == "http.response.start":
                if not any(name.lower() == b"content-length" for name, _ in message.get("headers", ())):
                    ends_by_close = True
                    cycle.chunked_encoding = False
            elif ends_by_close:
                cycle.expected_content_length = len(message.get("body", b""))  # whatever comes is expected
            await send(message)

        await app(scope, receive, send_unchunked)

    return unchunked
