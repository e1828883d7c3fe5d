"""What a request names in its path and query is text: UTF-8, and nothing in it controls."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.edge.problems import INVALID_REQUEST, problem
from deploy.edge.tracing import refuse

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Addresses:
    """Refuses what is no text before anything looks for it, or makes something else of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and not (is_text(scope["query_string"]) and is_text(_path(scope))):
            detail = "The path or the query has a control character, or is no UTF-8."
            await refuse(problem(INVALID_REQUEST, detail), scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_text(encoded: bytes) -> bool:
    """Whether these percent-encoded bytes are text."""
    if b"%" not in encoded and encoded.isascii():
        return True
    try:
        return _CONTROL.search(unquote_to_bytes(encoded).decode()) is None
    except UnicodeDecodeError:
        return False


def _path(scope: Scope) -> bytes:
    raw: bytes | None = scope.get("raw_path")
    return scope["path"].encode() if raw is None else raw
