"""Which part of the log counts: everything, or what was recorded, or true, or written by some moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from event_store.records import RecordedEvent

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")
_TIME_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?")


def parse_time(text: str) -> datetime:
    """An RFC 3339 time, in UTC; a bare date is the end of that day in UTC.

    Raises ValueError, whose text is for the command line.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time.max, tzinfo=UTC)
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time that exists") from None
    if _TIME_WITHOUT_OFFSET.fullmatch(text):
        raise ValueError(f"{text!r} does not say which clock: add Z for UTC, or an offset such as +01:00")
    raise ValueError(f"{text!r} is not a time: give 2026-01-31, 2026-01-31T12:00:00Z or the like (RFC 3339)")


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, as precise as the moment is: `2026-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Cut:
    """Which events count; `words` describe it in a sentence."""

    includes: Callable[[RecordedEvent], bool]
    words: str


NOW = Cut(lambda _: True, "now")
"""The log as it stands."""


def recorded_by(time: datetime) -> Cut:
    """What the books held at a moment: recorded_at up to and including it."""
    return Cut(lambda recorded: recorded.recorded_at <= time, f"as recorded by {format_time(time)}")


def valid_by(time: datetime) -> Cut:
    """What was true in the world by a moment, whenever it was written down."""
    return Cut(lambda recorded: recorded.valid_at <= time, f"as valid by {format_time(time)}")


def up_to(position: int) -> Cut:
    """The log up to and including a position."""
    return Cut(lambda recorded: recorded.position <= position, f"as of position {position}")
