"""How our own processes write their logs: JSON lines on standard error, or words for a terminal."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import structlog


def configure_logs() -> None:
    """`DAYBOOK_LOG_LEVEL` (debug, info, warning, error) says from where on lines are written; else info."""
    level = logging.getLevelNamesMapping().get(
        os.environ.get("DAYBOOK_LOG_LEVEL", "info").upper(), logging.INFO
    )
    for_a_person = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if for_a_person else structlog.processors.JSONRenderer()
    tracebacks = [] if for_a_person else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
