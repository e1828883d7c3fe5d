"""Which views have stopped before an event that they cannot take in."""

from __future__ import annotations

import msgspec

STOPS_KEY = "projector:stopped"
"""The Redis hash in which projectors show them: by view and version, the JSON of `Stop`."""


class Stop(msgspec.Struct, frozen=True):
    """A version of a view that has stopped; readers read it on as it stands."""

    view: str
    version: int
    position: int
    """The last event before the one that it cannot take in; shards without that event may be further."""
    event_type: str
    """Of the event at the next position."""
    reason: str

    def __str__(self) -> str:
        return f"stopped at {self.position}: {self.event_type} at {self.position + 1}: {self.reason}"


def stop_in(raw: bytes) -> Stop | None:
    """What a field of the hash has; None where it could not be made out."""
    try:
        return msgspec.json.decode(raw, type=Stop)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
