"""HTTP/1.1 as it comes over one connection: uvicorn's protocol on httptools, with limits.

A request is complete within `REQUEST_SECONDS_MAX` of its beginning, its head has at most `HEAD_BYTES_MAX`,
and it names one Host; what is malformed gets a problem. An upgrade to another protocol is not taken, and the
request is read like any other. Who sends no more is still answered. docs/decisions/0011 has why.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from deploy.edge.lingering_close import LingeringClose
from deploy.edge.problems import (
    CROWDED,
    HEAD_TOO_LARGE,
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    STOPPING,
    ProblemType,
    on_the_wire,
)
from deploy.edge.request_heads import HEAD_BYTES_MAX, Refused, check_head, combine, without_upgrade
from deploy.edge.requests import trace_of
from deploy.edge.without_chunks import without_chunks

CONNECTIONS_MAX = 20_000  # some hundred megabytes
REQUEST_SECONDS_MAX = 10.0
UNREAD_SECONDS_MAX = 60.0
"""How long a client may take nothing of an answer."""
CROSSING_SECONDS = 1.0
"""How long a connection waits, when the server stops, for a request that is on its way."""


class EdgeState(ServerState):
    """What the connections of one server share."""

    stopping = False
    """No connection is kept open from now on."""


class EdgeProtocol(HttpToolsProtocol):
    """One connection. It reads a head, then a body, then waits for the next head."""

    def __init__(
        self,
        config: Config,
        server_state: EdgeState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._state = server_state
        self._in_head = False  # one began and is not complete
        self._in_request = False  # the same, its body included
        self._bytes = 0  # received so far
        self._fields_from: int | None = None  # the same, where header or trailer fields began that go on
        self._fields = 0  # header fields of the head
        self._answering: RequestResponseCycle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._unread_bytes = 0  # of what was written, when it was last looked at
        self._deaf = False  # what still comes is thrown away
        self._refusal: ProblemType | None = None  # the last answer, once those before it are given
        self._refused_fields: list[tuple[bytes, bytes]] = []  # as far as they came

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ending = LingeringClose(transport, begins=self._end, unread_seconds_max=UNREAD_SECONDS_MAX)
        self._set_deadline(CROSSING_SECONDS if self._state.stopping else REQUEST_SECONDS_MAX)
        if len(self.connections) > connections_max():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_deadline()
        self._unset_keepalive_if_required()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(UNREAD_SECONDS_MAX, self._give_up_unless_read)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if self.transport.is_closing():  # Nothing was read: what waits to be is thrown away.
            self._notify_disconnected()
        super().resume_writing()

    def _notify_disconnected(self) -> None:
        """Nobody waits for answers. uvicorn notifies only the last request; others may come before it."""
        self.pipeline.clear()
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _give_up_unless_read(self) -> None:
        if self.transport.get_write_buffer_size() < self._unread_bytes:
            self.pause_writing()
        elif not self._ending.begun:  # Else that is looked after already.
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._ending.received = True
            return
        self._unset_keepalive_if_required()
        self._bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.kind if isinstance(cause, Refused) else MALFORMED_REQUEST)
            return
        if self._fields_from is not None and self._bytes - self._fields_from > HEAD_BYTES_MAX:
            self._refuse(HEAD_TOO_LARGE)
        elif self._deadline is None and (self._in_request or self._last_complete() is None):
            self._set_deadline(REQUEST_SECONDS_MAX)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more; True keeps the connection open for its answer."""
        if self._in_request and not self._deaf:
            self._refuse(MALFORMED_REQUEST)
        last = self._last_complete()
        if last is None or (last.response_started and last.chunked_encoding):
            return False  # Nothing is owed; and a client that received an endless answer has gone.
        self._deaf = True
        last.keep_alive = self._refusal is not None
        return True

    def shutdown(self) -> None:
        """The server stops: what was asked is answered, also what is on its way, and nothing after."""
        last = self._last_complete()
        if last is not None:
            last.keep_alive = False
        elif not self._ending.begun:
            self._set_deadline(CROSSING_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked for a while."""
        self._ending.close()

    def on_message_begin(self) -> None:
        self._in_head = self._in_request = True
        self._fields_from = self._bytes
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # The spaces around a value are no part of it; the parser leaves those after it.
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        self._fields_from = None
        check_head(*self._head())
        combine(self.headers)
        self._fields = len(self.headers)
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._in_head = False
        self.cycle.transport = self._ending  # type: ignore[assignment]
        self.cycle.keep_alive &= not self._state.stopping

    def on_chunk_header(self) -> None:
        """What follows is the chunk, or after the last one trailer fields."""
        self._fields_from = self._bytes

    def on_body(self, body: bytes) -> None:
        self._fields_from = None
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_request = False
        self._fields_from = None
        del self.headers[self._fields :]  # A trailer field is no header field.
        self._unset_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._ending.begun:
            return  # It was the last.
        self._ending.flush()
        super().on_response_complete()
        if self._refusal is not None and self._last_complete() is None:
            self._answer(self._refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        if cycle.scope["http_version"] == "1.0":
            app = without_chunks(cycle, app)
        super()._start_asgi_task(cycle, app)

    def _feed(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser would hand over to another protocol, and has not looked for a body. A new one
                # reads the same head without the offer, and goes on.
                head = without_upgrade(*self._head())
                rest = memoryview(rest)[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
            else:
                return

    def _head(self) -> tuple[bytes, bytes, str, list[tuple[bytes, bytes]]]:
        return self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers

    def _refuse(self, kind: ProblemType) -> None:
        """Answers with a problem and closes; requests before it that are whole are answered first."""
        self._unset_deadline()
        self._deaf = True
        if self._in_request:
            self._refused_fields = self.headers
        half = self.cycle if self._in_request and not self._in_head else None
        if half is not None and half.response_started:
            self._ending.close()
            return
        if half is not None:
            half.disconnected = True
            half.message_event.set()
        if self._last_complete() is not None:
            self._refusal = kind
        else:
            self._answer(kind)

    def _answer(self, kind: ProblemType) -> None:
        if not self._ending.begun and not self.transport.is_closing():
            self._ending.write(on_the_wire(kind, trace_of(self._refused_fields)))
            self._ending.close()

    def _last_complete(self) -> RequestResponseCycle | None:
        """Of the requests that came whole and are not answered, the one to be answered last."""
        for cycle in (self.cycle, self._answering):
            if cycle is not None and not cycle.more_body and not cycle.response_complete:
                return cycle
        return None

    def _end(self) -> None:
        self._deaf = True
        self._unset_deadline()
        self.flow.resume_reading()

    def _set_deadline(self, seconds: float) -> None:
        self._unset_deadline()
        self._deadline = self.loop.call_later(seconds, self._out_of_time)

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _out_of_time(self) -> None:
        self._deadline = None
        if self._in_request and not self._deaf:
            self._refuse(STOPPING if self._state.stopping else REQUEST_TIMEOUT)
        else:
            self._ending.close()

    def _make_room(self) -> None:
        """Closes a connection that nobody waits on; where there is none, this one."""
        for other in self.connections:
            if isinstance(other, EdgeProtocol) and other is not self and other._last_complete() is None:
                other.transport.abort()
                return
        self._refuse(CROWDED)


def connections_max() -> int:
    """How many a process holds: three quarters of its file descriptors, the rest is for stores and files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS_MAX if files == resource.RLIM_INFINITY else min(files * 3 // 4, CONNECTIONS_MAX)
