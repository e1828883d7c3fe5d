"""Server-sent events (HTML standard): an endless response, one piece after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

EVENT_STREAM = "text/event-stream"

RETRY = b"retry: 2000\n\n"
"""How long, in milliseconds, a browser waits before it takes a broken stream up again."""

HEARTBEAT = b": still here\n\n"

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # A proxy that buffers would hold the events back.
}


class Unfinished(Exception):  # noqa: N818
    """The messages end, and are not all: the response is cut, so that it does not look complete."""


class EventStream(StreamingResponse):
    """The response that sends the messages; `place` is given back when it ends, however it does."""

    def __init__(
        self,
        messages: AsyncGenerator[bytes, None],
        place: ExitStack,
        headers: Mapping[str, str],
        media_type: str = EVENT_STREAM,
    ) -> None:
        super().__init__(messages, 200, {**_HEADERS, **headers}, media_type)
        self._messages = messages
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until one of the two ends goes. A client that takes nothing of it is let go as from any
        response (`protocol.UNREAD_SECONDS_MAX`); one that is left `Unfinished` sees that."""
        with self._place:
            try:
                await super().__call__(scope, receive, send)
            except Unfinished:
                pass  # The response has no end, so the server cuts the connection.
            finally:
                await self._messages.aclose()


def message(position: int, data: bytes) -> bytes:
    """One message; `data` is JSON on one line."""
    return b"id: %d\ndata: %b\n\n" % (position, data)
