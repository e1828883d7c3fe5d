"""The shop's time zone: which local day and hour a moment belongs to, through changes of the clocks.

The rules come from the package tzdata alone, never from the machine, so that all processes of one
installation fold alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)


class UnknownTimeZoneError(ValueError):
    """No time zone has this name; the message says so in one line."""


class Hour(NamedTuple):
    """An hour of the shop's clocks. Where they are set back an hour comes twice, with two offsets."""

    starts_at: datetime  # UTC
    local: str  # RFC 3339 with the offset from UTC: 2026-03-29T02:00:00+01:00


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A time zone by its IANA name."""

    name: str
    fingerprint: int
    """0 for UTC, else a number of 32 bits that another zone, or other rules of this one, hardly has."""
    _rules: tzinfo = field(compare=False, repr=False)

    def day_of(self, moment: datetime) -> date:
        """The local day of an aware moment."""
        return moment.astimezone(self._rules).date()

    def hour_of(self, moment: datetime) -> Hour:
        """The local hour of an aware moment, at the offset that holds at the moment itself."""
        local = moment.astimezone(self._rules)
        offset = local.utcoffset() or timedelta()
        begun = local.replace(minute=0, second=0, microsecond=0, tzinfo=timezone(offset - offset % _MINUTE))
        return Hour(begun.astimezone(UTC), begun.isoformat())


DEFAULT = TimeZone("UTC", 0, UTC)


def time_zone(name: str) -> TimeZone:
    """The time zone of this IANA name, such as `Europe/London`. Raises UnknownTimeZoneError."""
    if name == DEFAULT.name:
        return DEFAULT
    package = files("tzdata")
    if name not in package.joinpath("zones").read_text("utf-8").splitlines():
        raise UnknownTimeZoneError(f"{name!r} is no IANA name of a time zone, such as Europe/London")
    rules = package.joinpath("zoneinfo", *name.split("/")).read_bytes()
    fingerprint = crc32(rules, crc32(name.encode())) or 1
    return TimeZone(name, fingerprint, ZoneInfo.from_file(BytesIO(rules), key=name))
