"""How an operator's command requests something of the running projector, and reads its progress."""

from __future__ import annotations

from typing import TypeVar, cast
from uuid import uuid4

import msgspec
from redis.exceptions import ResponseError

from projections.engine.rebuild import Action, Progress
from projections.redis.connections import LateClient
from projections.redis.store import wrapped

Sent = TypeVar("Sent")

_REQUESTS = "rebuild:requests"
_PROGRESS_SECONDS_KEPT = 3_600


class Request(msgspec.Struct, frozen=True):
    """What is to be done with one view; progress is reported under the id."""

    id: str
    view: str
    action: Action = "rebuild"


class RedisRequests(LateClient):
    """Both ends. Every call may raise TargetUnavailable."""

    def submit(self, view: str, action: Action) -> Request:
        """Requests it; the running projector takes it up within a second."""
        request = Request(uuid4().hex, view, action)
        with wrapped():
            self._redis.rpush(_REQUESTS, msgspec.json.encode(request))
        return request

    def resubmit(self, request: Request) -> None:
        """The same request once more: the projector that took it up may have ended since."""
        message = msgspec.json.encode(request)
        with wrapped():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.lrem(_REQUESTS, 0, message.decode())
            pipeline.rpush(_REQUESTS, message)
            pipeline.execute()

    def withdraw(self, request: Request) -> bool:
        """Takes the request back; False where somebody took it up already."""
        with wrapped():
            return self._redis.lrem(_REQUESTS, 1, msgspec.json.encode(request).decode()) == 1

    def take(self) -> list[Request]:
        """Every request made since."""
        with wrapped():
            try:
                raw = cast("list[bytes] | None", self._redis.lpop(_REQUESTS, 100))
            except ResponseError:  # It is no list, so it holds no request of ours.
                self._redis.unlink(_REQUESTS)
                raw = None
        return [request for text in raw or () if (request := _decoded(text, Request)) is not None]

    def report(self, request: Request, progress: Progress) -> None:
        """Stores the progress for the client to read."""
        with wrapped():
            self._redis.set(_progress_key(request), msgspec.json.encode(progress), ex=_PROGRESS_SECONDS_KEPT)

    def last_progress(self, request: Request) -> Progress | None:
        """The last that was reported; None before it was taken up."""
        with wrapped():
            raw = cast("bytes | None", self._redis.get(_progress_key(request)))
        return None if raw is None else _decoded(raw, Progress)

    def seconds_since_report(self, request: Request) -> float | None:
        """How long ago something was reported, by the server's clock; None where nothing was yet."""
        with wrapped():
            left = self._redis.pttl(_progress_key(request))
        return None if left < 0 else _PROGRESS_SECONDS_KEPT - left / 1000


def _decoded(raw: bytes, kind: type[Sent]) -> Sent | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # Written by another program: no client of ours waits for it.


def _progress_key(request: Request) -> str:
    return f"rebuild:{request.id}"
