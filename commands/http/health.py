"""Whether the command process may be sent commands."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from commands.http.responses import PROBLEM
from commands.loop.handling import Handling
from commands.processes.manager import ProcessManagers
from deploy.edge.problems import NOT_READY, problem
from event_store.errors import StoreUnavailable

router = APIRouter(tags=["health"])


@router.get("/health/ready", summary="Commands can be taken", responses={503: PROBLEM})
async def ready(request: Request) -> Response:
    """The handling loop and the process managers live, the log is reachable, its schema current, and the demo
    shop, where one was asked for, filled."""
    marker = request.app.state.settings.demo_marker
    handling: Handling = request.app.state.handling
    processes: ProcessManagers | None = request.app.state.processes
    if not handling.lives:
        return problem(NOT_READY, "The handling loop has ended.")
    if processes is not None and not processes.lives:
        return problem(NOT_READY, "A process manager has ended.")
    try:
        head = await asyncio.to_thread(request.app.state.log.head)
    except StoreUnavailable:
        return problem(NOT_READY, "The event store is away.")
    if marker is not None and not marker.exists():
        return problem(NOT_READY, "The demo shop is being filled.")
    return JSONResponse({"status": "ready", "position": head})
