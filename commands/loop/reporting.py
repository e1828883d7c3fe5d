"""What is told of each command that was decided: a line of the log, and a count."""

from __future__ import annotations

import structlog
from prometheus_client import Counter

from commands.loop.entry_writer import Decided
from event_store.records import Appended

log_lines = structlog.get_logger("commands")

COMMANDS = Counter("daybook_commands_total", "Commands by name and verdict", ["name", "verdict"])


def report(one: Decided, outcome: Appended) -> None:
    """Tells of a command whose outcome is durable."""
    COMMANDS.labels(one.entry.name, one.entry.verdict).inc()
    log_lines.info(
        "command",
        command=one.entry.name,
        verdict=one.entry.verdict,
        reason=type(one.reason).__name__ if one.reason else None,
        position=outcome.last_position,
        trace_id=one.entry.correlation,
    )
