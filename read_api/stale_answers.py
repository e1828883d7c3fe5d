"""What everybody may see is shown as it was while its store is away, and the answer says so.

Kept is the last answer to each request that a shared cache might have kept. It takes the place of a 503, with
`Age` and `Cache-Status` (RFC 9211), whose `ttl` is below zero. Who asks for a position gets no less.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.edge.problems import TRACE_ID
from read_api.freshness import MIN_POSITION, VIEW_POSITION

KEPT_BYTES_MAX = 64 * 2**20
_BODY_BYTES_MAX = 2**20
_HEADS_BYTES = 1_000  # of what is kept beside a body

_MIN_POSITION = MIN_POSITION.encode()
_VIEW_POSITION = VIEW_POSITION.lower().encode()
_TRACE_ID = TRACE_ID.encode()  # of each request its own
_Headers = list[tuple[bytes, bytes]]


class _Kept(NamedTuple):
    headers: _Headers
    body: bytes
    at: float  # by the clock
    position: int


class StaleAnswers:
    """Keeps answers as they are sent, the least recently sent let go."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        seconds_max: float,
        bytes_max: int = KEPT_BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds_max`: what is older is not shown any more."""
        self._app = app
        self._seconds_max = seconds_max
        self._bytes_max = bytes_max
        self._clock = clock
        self._bytes = 0
        self._kept: OrderedDict[tuple[bytes, ...], _Kept] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        instead: _Kept | None = None

        async def send_or_keep(message: Message) -> None:
            nonlocal start, instead
            if message["type"] == "http.response.start":
                start = message
                if message["status"] != 503:
                    await send(message)
                    return
                if instead := self._instead_of(scope):
                    own = [field for field in message["headers"] if field[0] == _TRACE_ID]
                    await send(self._stale(instead, own))
                else:
                    await send(message)
            elif instead is not None:
                await send({"type": "http.response.body", "body": instead.body})
            else:
                if start["status"] == 200 and not message.get("more_body"):
                    self._keep(scope, start["headers"], message.get("body", b""))
                elif start["status"] == 304:
                    self._confirm(scope, start["headers"])
                await send(message)

        await self._app(scope, receive, send_or_keep)

    def _keep(self, scope: Scope, headers: _Headers, body: bytes) -> None:
        named = dict(headers)
        if len(body) > _BODY_BYTES_MAX or not named.get(b"cache-control", b"").startswith(b"public"):
            return
        key = _key(scope)
        before = self._kept.pop(key, None)
        self._bytes += len(body) + _HEADS_BYTES - (len(before.body) + _HEADS_BYTES if before else 0)
        position = int(named.get(_VIEW_POSITION, b"0"))
        shared = [field for field in headers if field[0] != _TRACE_ID]
        self._kept[key] = _Kept(shared, body, self._clock(), position)
        while self._bytes > self._bytes_max:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone.body) + _HEADS_BYTES

    def _confirm(self, scope: Scope, headers: _Headers) -> None:
        """What is kept is the answer still: it is as old as this one."""
        kept, named = self._kept.get(_key(scope)), dict(headers)
        if kept is not None and dict(kept.headers).get(b"etag") == named.get(b"etag"):
            named.pop(_TRACE_ID, None)
            self._keep(scope, [*(dict(kept.headers) | named).items()], kept.body)

    def _instead_of(self, scope: Scope) -> _Kept | None:
        kept = self._kept.get(_key(scope))
        if kept is None or self._clock() - kept.at > self._seconds_max:
            return None
        wanted = dict(scope["headers"]).get(_MIN_POSITION, b"0")
        return kept if wanted.isdigit() and int(wanted) <= kept.position else None

    def _stale(self, kept: _Kept, own: _Headers) -> Message:
        age = int(self._clock() - kept.at)
        says = [(b"age", b"%d" % age), (b"cache-status", b"daybook; hit; ttl=-%d" % max(age, 1))]
        return {"type": "http.response.start", "status": 200, "headers": [*kept.headers, *says, *own]}


def _key(scope: Scope) -> tuple[bytes, ...]:
    codings = (value for name, value in scope["headers"] if name == b"accept-encoding")
    return (scope["path"].encode(), scope["query_string"], *codings)
