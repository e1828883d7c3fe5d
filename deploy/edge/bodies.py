"""A request's body: read whole before any route sees it, within limits, and as it was announced."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.edge.problems import BODY_MISSING, BODY_TOO_LARGE, CONTENT_ENCODED, problem
from deploy.edge.tracing import refuse

BODY_BYTES_MAX = 1_000_000
BODILESS = {"GET", "HEAD", "OPTIONS"}  # what they bring along means nothing


class Bodies:
    """Refuses a body over `BODY_BYTES_MAX`, one in a coding, and one that was announced and is not there.

    A request without a body may ask for more than the same one with it, so none may get lost on the way. Who
    goes away before the body was complete has requested nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = dict(scope["headers"])
        length = int(fields.get(b"content-length", 0))
        if length == 0 and b"transfer-encoding" not in fields:
            await self._app(scope, receive, send)
            return
        refusal = _refusal_of(fields, length)
        if refusal is None and scope["method"] not in BODILESS:
            body = await _read(receive)
            if body is None:
                return
            receive = _replaying(body, receive)
            if not body:
                refusal = problem(BODY_MISSING)
            elif len(body) > BODY_BYTES_MAX:
                refusal = _too_large()
        if refusal is not None:
            await refuse(refusal, scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _refusal_of(fields: Mapping[bytes, bytes], length: int) -> Response | None:
    if length > BODY_BYTES_MAX:
        return _too_large()
    if fields.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        return problem(CONTENT_ENCODED, headers={"Accept-Encoding": "identity"})
    return None


def _too_large() -> Response:
    return problem(BODY_TOO_LARGE, f"A body has at most {BODY_BYTES_MAX} bytes.")


async def _read(receive: Receive) -> bytes | None:
    """The body, or the beginning of one that is too large; None where the client went away."""
    body = bytearray()
    more = True
    while more and len(body) <= BODY_BYTES_MAX:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """What was read, for the application to receive in one piece."""
    complete: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def receive_complete() -> Message:
        nonlocal complete
        if complete is None:
            return await receive()
        message, complete = complete, None
        return message

    return receive_complete
