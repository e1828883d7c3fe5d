"""From where a server may be asked: which pages (`Origin`), and under which names (`Host`).

A browser lets any page send requests to this machine, and lets a page read the answers once its own name
resolves to this machine. Where no token guards the routes, only local names and local pages are served.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.edge.problems import FOREIGN_ORIGIN, MISDIRECTED, TRACE_ID, problem
from deploy.edge.requests import trace_of
from deploy.edge.settings import EdgeSettings
from deploy.edge.tracing import refuse

_LOCAL = r"(?:localhost|(?:[a-z0-9_-]+\.)+localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d*)?"
LOCAL_HOST = re.compile(_LOCAL.encode(), re.IGNORECASE)
LOCAL_ORIGIN = rf"(?i:https?://{_LOCAL})"

EXPOSED = (
    "Daybook-Event",
    "Daybook-Log",
    "Daybook-Next",
    "Daybook-Position",
    "Daybook-View-Position",
    "ETag",
    "Idempotency-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Trace-Id",
)


class Origins(CORSMiddleware):
    """CORS, and where `settings.local_only` the refusal of all that is not local."""

    def __init__(self, app: ASGIApp, settings: EdgeSettings, *, methods: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=settings.allowed_origins,
            allow_origin_regex=LOCAL_ORIGIN if settings.local_only else None,
            allow_methods=methods,
            allow_headers=["*"],
            expose_headers=EXPOSED,
            allow_private_network=True,  # for the origins that are allowed
        )
        self._local_only = settings.local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fields = dict(scope["headers"])
        origin = fields.get(b"origin")
        refusal = self._refusal(fields.get(b"host", b""), origin) if self._local_only else None
        if refusal is not None:
            await refuse(refusal, scope, receive, send)
        elif origin is not None:
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, _varying(send))

    def preflight_response(self, request_headers: Headers) -> Response:
        """A refused preflight is a problem, too."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        headers = {"Vary": "Origin", TRACE_ID: trace_of(request_headers.raw)}
        return problem(FOREIGN_ORIGIN, bytes(response.body).decode(), headers=headers)

    def _refusal(self, host: bytes, origin: bytes | None) -> Response | None:
        if not LOCAL_HOST.fullmatch(host):
            return problem(
                MISDIRECTED, "Without DAYBOOK_OPERATOR_TOKEN this server answers to local names only."
            )
        if origin is not None and not self.is_allowed_origin(origin.decode("latin-1")):
            detail = "Name the page's origin in DAYBOOK_CORS_ORIGINS, or set DAYBOOK_OPERATOR_TOKEN."
            return problem(FOREIGN_ORIGIN, detail, headers={"Vary": "Origin"})
        return None


def _varying(send: Send) -> Send:
    """The `Vary` header for caches: what CORS adds where no page asks."""

    async def send_varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"vary", b"Origin")]
        await send(message)

    return send_varying
