"""No request may be larger than the API has use for.

FastAPI has such a limit of its own, but answers in plain text.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commands.http.problems import BODY_TOO_LARGE, problem

BODY_BYTES_MAX = 1_000_000


class BodyLimit:
    """Answers 413 to a body over `BODY_BYTES_MAX`, whether its length is announced or found out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced) > BODY_BYTES_MAX:
            await self._refuse(scope, receive, send)
            return
        if announced.isdigit() or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > BODY_BYTES_MAX:
                await self._refuse(scope, receive, send)
                return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def receive_whole() -> Message:
            nonlocal whole
            if whole is None:
                return await receive()
            message, whole = whole, None
            return message

        await self._app(scope, receive_whole, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem(BODY_TOO_LARGE, f"A body has at most {BODY_BYTES_MAX} bytes.")
        await answer(scope, receive, send)
