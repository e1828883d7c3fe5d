"""A trace id for every request, failed ones too; one measurement, and one log line where wanted."""

from __future__ import annotations

import time

import structlog
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commands.http.problems import INTERNAL_ERROR, problem
from commands.http.requests import trace_of

REQUESTS = Histogram(
    "daybook_request_seconds",
    "Requests of the command API",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

log_lines = structlog.get_logger("commands.http")


class TraceMiddleware:
    """Puts the trace id on the request's state and in the answer; measures the answer."""

    def __init__(self, app: ASGIApp, *, access_log: bool = False) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_id = trace_of(Request(scope))
        scope.setdefault("state", {})["trace_id"] = trace_id
        begun = time.perf_counter()
        status = 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"trace-id", trace_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception:
            if status:
                raise
            log_lines.exception("request_failed", path=scope["path"], trace_id=trace_id)
            await problem(INTERNAL_ERROR)(scope, receive, send_noting)
        finally:
            took = time.perf_counter() - begun
            route = getattr(scope.get("route"), "path", "unknown")
            REQUESTS.labels(scope["method"], route, status).observe(took)
            if self._access_log:
                log_lines.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round(took * 1000, 2),
                    trace_id=trace_id,
                )
