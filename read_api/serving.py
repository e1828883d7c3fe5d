"""The query process: one uvicorn server until it is told to stop."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from read_api.app import build_query_app
from read_api.health import ReadyPosition
from read_api.settings import QuerySettings

_SHUTDOWN_SECONDS = 5
"""How long answers under way may take once the process is told to stop."""


def serve_query(
    settings: QuerySettings,
    *,
    ready_position: ReadyPosition,
    mounts: Mapping[str, ASGIApp] | None = None,
    sockets: Sequence[socket.socket] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; then answers what was begun and gives everything back.

    `sockets` are listening sockets to serve on, made by a supervisor; without them `settings.host` and
    `read_port` are bound. `ready_position` and `mounts`: see `build_query_app`.
    """
    configure_logs()
    app = build_query_app(settings, ready_position=ready_position, mounts=mounts)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.read_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,  # our own log lines bear the trace id
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    uvicorn.Server(config).run(sockets=list(sockets) if sockets else None)


def configure_logs() -> None:
    """Log lines on standard error: JSON, or words and colors for a terminal."""
    renderer: Any = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
