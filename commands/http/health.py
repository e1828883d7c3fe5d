"""Whether the command process lives, and whether it may be sent commands."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from commands.http.answers import PROBLEM
from commands.http.problems import NOT_READY, problem
from commands.loop.handling import Handling
from commands.processes.manager import ProcessManagers
from event_store.errors import StoreUnavailable

router = APIRouter(tags=["health"])


@router.get("/health/live", summary="The process answers")
async def live() -> dict[str, str]:
    """Says that the process answers; nothing about the log."""
    return {"status": "live"}


@router.get("/health/ready", summary="Commands can be taken", responses={503: PROBLEM})
async def ready(request: Request) -> Response:
    """The handling loop and the process managers live, the log is reachable, its schema current, and the demo
    shop, where one was asked for, filled."""
    marker = request.app.state.settings.demo_marker
    handling: Handling = request.app.state.handling
    processes: ProcessManagers | None = request.app.state.processes
    if not handling.lives:
        return problem(NOT_READY, "The handling loop has ended.", {"Retry-After": "1"})
    if processes is not None and not processes.lives:
        return problem(NOT_READY, "A process manager has ended.", {"Retry-After": "1"})
    try:
        head = await asyncio.to_thread(request.app.state.log.head)
    except StoreUnavailable:
        return problem(NOT_READY, "The event store is away.", {"Retry-After": "1"})
    if marker is not None and not marker.exists():
        return problem(NOT_READY, "The demo shop is being filled.", {"Retry-After": "1"})
    return JSONResponse({"status": "ready", "position": head})


@router.get(
    "/metrics",
    summary="Metrics in Prometheus' text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics() -> Response:
    """Everything this process counts."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
