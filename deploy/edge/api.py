"""What both APIs begin with: the framework's settings, and the health and metrics routes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

health_router = APIRouter(tags=["health"])

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def new_api(title: str, description: str, lifespan: Lifespan) -> FastAPI:
    """An application without routes but its documents'."""
    return FastAPIOffline(
        title=title,
        version="1",
        description=description,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={  # ours: traceparent, /metrics, structlog
            "tracing": False,
            "metrics": False,
            "logs": False,
        },
    )


@health_router.get("/health/live", summary="The process answers")
async def live() -> dict[str, str]:
    """The process answers; what it depends on is not checked."""
    return {"status": "live"}


@health_router.get(
    "/metrics",
    summary="Metrics in Prometheus' text format",
    response_class=Response,
    responses={200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics() -> Response:
    """Everything this process counts."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
