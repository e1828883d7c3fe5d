"""How our own processes write their logs: JSON lines on standard error, or words for a terminal."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import msgspec
import structlog


def configure_logs() -> None:
    """`DAYBOOK_LOG_LEVEL` (debug, info, warning, error) says from where on lines are written; else info."""
    level = logging.getLevelNamesMapping().get(
        os.environ.get("DAYBOOK_LOG_LEVEL", "info").upper(), logging.INFO
    )
    for_a_person = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if for_a_person else structlog.processors.JSONRenderer(_json)
    )
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
        logger_factory=(
            structlog.PrintLoggerFactory(sys.stderr)
            if for_a_person
            else structlog.BytesLoggerFactory(sys.stderr.buffer)
        ),
        cache_logger_on_first_use=True,
    )


def _json(line: Any, default: Any = None, **_: Any) -> bytes:
    return msgspec.json.encode(line, enc_hook=default)
