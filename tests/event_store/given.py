"""Entries in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from event_store.records import Appended, Entry, EventLog, NewEvent, Outcome

ADDED = "cart.item_added"


def event(stream: str, data: bytes = b"{}", name: str = ADDED, number: int = 1) -> NewEvent:
    return NewEvent(stream, name, number, data)


def entry(reads: Mapping[str, int], *writes: str, **other: Any) -> Entry:
    """Reads these versions and writes an event to each of these streams, in order."""
    chosen: dict[str, Any] = {
        "command_id": uuid4(),
        "name": "add_item",
        "verdict": "accepted" if writes else "unchanged",
        "actor": "anonymous:",
        "channel": "web",
        "events": [event(stream, b'{"n":%d}' % n) for n, stream in enumerate(writes, 1)],
    }
    return Entry(reads=reads, **(chosen | other))


def adding(stream: str, version: int = 0, **other: Any) -> Entry:
    """One event after this version."""
    return entry({stream: version}, stream, **other)


def keyed(key: bytes, request: bytes = b"r", **other: Any) -> Mapping[str, Any]:
    return {"key": key.ljust(32, b"-"), "request_hash": request.ljust(32, b"-"), **other}


def positions(outcomes: Sequence[Outcome]) -> list[int | None]:
    """The first positions; fails for what was not appended."""
    return [_appended(outcome).first_position for outcome in outcomes]


def append(log: EventLog, *entries: Entry) -> list[Outcome]:
    return log.append(entries)


def written(log: EventLog) -> list[tuple[int, str, int]]:
    """Position, stream and version of the whole log."""
    return [(e.position, e.stream, e.version) for e in log.read_all(after=0, limit=10_000)]


def command_ids(log: EventLog) -> list[UUID]:
    return [e.command_id for e in log.read_all(after=0, limit=10_000)]


def _appended(outcome: Outcome) -> Appended:
    assert isinstance(outcome, Appended), outcome
    return outcome
