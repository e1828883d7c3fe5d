"""A trace id for every request, failed ones too; one measurement, and one log line where wanted."""

from __future__ import annotations

import re
import secrets
import time
from contextvars import ContextVar

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from read_api.problems import INTERNAL_ERROR, problem

TRACE_ID: ContextVar[str] = ContextVar("daybook_query_trace_id", default="")
"""The trace id of the request that is being answered; log lines made meanwhile bear it."""

REQUESTS = Counter("daybook_query_requests", "Answers of the query API", ["route", "status"])
SECONDS = Histogram(
    "daybook_query_request_seconds",
    "Time to answer a request of the query API",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)

log_lines = structlog.get_logger("read_api")

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE = b"0" * 32


class ObservingMiddleware:
    """Wraps the application. The measures of a route and status are looked up once, then kept."""

    def __init__(self, app: ASGIApp, *, access_log: bool) -> None:
        self._app = app
        self._access_log = access_log
        self._measures: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_id = trace_of(scope)
        TRACE_ID.set(trace_id)
        begun = time.perf_counter()
        status = 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"trace-id", trace_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception:
            if status:
                raise
            log_lines.exception("request_failed", path=scope["path"], trace_id=trace_id)
            await problem(INTERNAL_ERROR)(scope, receive, send_noting)
        finally:
            seconds = time.perf_counter() - begun
            route = route_of(scope)
            count, duration = self._measures_of(route, status)
            count.inc()
            duration.observe(seconds)
            if self._access_log:
                log_lines.info(
                    "request",
                    method=scope["method"],
                    route=route,
                    path=scope["path"],
                    status=status,
                    milliseconds=round(seconds * 1000, 2),
                    trace_id=trace_id,
                )

    def _measures_of(self, route: str, status: int) -> tuple[Counter, Histogram]:
        measures = self._measures.get((route, status))
        if measures is None:
            measures = REQUESTS.labels(route, str(status)), SECONDS.labels(route)
            self._measures[route, status] = measures
        return measures


def trace_of(scope: Scope) -> str:
    """The trace id of the W3C traceparent, or a new one."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            told = _TRACEPARENT.fullmatch(value)
            if told and told[1] != _NO_TRACE:
                return bytes(told[1]).decode()
    return secrets.token_hex(16)


def route_of(scope: Scope) -> str:
    """The route's template, never the path itself: a label must not have as many values as there are SKUs."""
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))
