"""Reading some of the log: which events are asked for, and the side of a log that finds them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from event_store.records import EventReader, RecordedEvent


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Events that all of this is true of; None asks nothing. The `from` of a span is in it, its `to` not."""

    types: frozenset[str] | None = None
    streams: frozenset[str] | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def matches(self, event: RecordedEvent) -> bool:
        """Whether the event is asked for."""
        return (
            (self.types is None or event.type in self.types)
            and (self.streams is None or event.stream in self.streams)
            and _within(self.recorded_from, event.recorded_at, self.recorded_to)
            and _within(self.valid_from, event.valid_at, self.valid_to)
        )


ALL = Selection()


class SelectiveReader(EventReader, Protocol):
    """A log that finds some of its events without reading all of them."""

    def read_selected(
        self, selection: Selection, *, after: int, limit: int, up_to: int | None = None
    ) -> list[RecordedEvent]:
        """The selection's events in commit order, as `read_all` reads all.

        Streams are found by an index; without them every position from `after` to `up_to` is looked at, and
        one that is missing is not noticed. Raises StoreUnavailable; LogGap where the place in a stream is not
        found because it lacks a version.
        """

    def position_before(self, moment: datetime) -> int:
        """The last position recorded before the moment, 0 where none was. Raises StoreUnavailable."""


def _within(first: datetime | None, moment: datetime, end: datetime | None) -> bool:
    return (first is None or first <= moment) and (end is None or moment < end)
