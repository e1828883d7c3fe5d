"""A trace id for every request, failed ones too; one measurement, and one log line where wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.edge.problems import INTERNAL_ERROR, TRACE_ID, problem
from deploy.edge.requests import trace_of

Measure = Callable[[str, str | None, int, float], None]
"""Takes a request's method, its route's template (None: no route), its status and its seconds."""

_TRACE_ID = TRACE_ID.encode()


class Tracing:
    """Puts the trace id on the request's state and in the response, and measures the response."""

    def __init__(self, app: ASGIApp, *, measure: Measure, access_log: bool, logger: Any) -> None:
        self._app = app
        self._measure = measure
        self._access_log = access_log
        self._logger = logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_id = trace_of(scope["headers"])
        scope.setdefault("state", {})["trace_id"] = trace_id
        begun = time.perf_counter()
        status = 0

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_TRACE_ID, trace_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_traced)
        except Exception:
            if status:
                raise
            self._logger.exception("request_failed", path=scope["path"], trace_id=trace_id)
            await problem(INTERNAL_ERROR)(scope, receive, send_traced)
        finally:
            seconds = time.perf_counter() - begun
            # The template, never the path: a label must not have as many values as there are SKUs.
            route: str | None = getattr(scope.get("route"), "path", None)
            self._measure(scope["method"], route, status, seconds)
            if self._access_log:
                self._logger.info(
                    "request",
                    method=scope["method"],
                    route=route,
                    path=scope["path"],
                    status=status,
                    milliseconds=round(seconds * 1000, 2),
                    trace_id=trace_id,
                )


async def refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a response that comes before `Tracing`, or in its place: with a trace id all the same."""
    known: str | None = scope.get("state", {}).get("trace_id")
    refusal.headers[TRACE_ID] = known or trace_of(scope["headers"])
    await refusal(scope, receive, send)
