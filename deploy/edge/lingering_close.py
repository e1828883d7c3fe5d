"""The end of a connection: closed for writing, it still reads for a while.

While the client sends, a plain close would reset the connection, and with it the answer that is on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LINGER_SECONDS = 0.5
"""How long it reads, and again as long as something comes or goes."""
READ_SECONDS_MAX = 10.0


class LingeringClose:
    """The connection as a request sees it, which closes it when its answer was the last."""

    def __init__(
        self, transport: asyncio.Transport, *, begins: Callable[[], None], unread_seconds_max: float
    ) -> None:
        """`begins` is called once; of an answer nothing may be taken for so many seconds."""
        self.is_closing = transport.is_closing
        self.begun = False
        self.received = False  # something came
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""  # what waits for the rest of its response
        self._begins = begins
        self._unread_seconds_max = unread_seconds_max
        self._unread_bytes = 0
        self._seconds = 0.0  # without anything taken

    def write(self, data: bytes) -> None:
        """Sends it in one packet with what was written before it in this turn of the loop.

        uvicorn writes a head and its body one after the other; to send each by itself costs the most of both.
        """
        if self.begun:
            return  # The last answer is written.
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        else:
            self._head = data
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Sends what waits for more."""
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""

    def close(self) -> None:
        """Closes for writing, and a little later altogether."""
        if self.begun or self._transport.is_closing():
            return
        self.begun = True
        self.flush()
        self._begins()
        self._unread_bytes = self._transport.get_write_buffer_size()
        self._transport.write_eof()
        self._wait()

    def _wait(self) -> None:
        self.received = False
        self._loop.call_later(LINGER_SECONDS, self._check)

    def _check(self) -> None:
        unread = self._transport.get_write_buffer_size()
        self._seconds = 0.0 if unread < self._unread_bytes else self._seconds + LINGER_SECONDS
        self._unread_bytes = unread
        seconds_max = self._unread_seconds_max if unread else READ_SECONDS_MAX
        if (self.received or unread) and self._seconds <= seconds_max and not self._transport.is_closing():
            self._wait()
        else:
            self._transport.abort()
