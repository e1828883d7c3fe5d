"""Many events in a log, at the rate of its appends: one story's, over and over under other streams' names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from uuid import uuid4

from event_store.memory.log import MemoryLog
from event_store.records import Appended, Entry, EventLog, NewEvent
from tests.shop.story import Story

_ENTRIES = 400  # in one call
_TRACE = "0af7651916cd43dd8448eb211c80319c"


def append_many(log: EventLog, events: int) -> int:
    """Appends so many, of every context that a story has; gives the head."""
    template = _story()
    left, entries = events, []
    while left > 0:
        part = template[: min(left, len(template))]
        entries.append(_copied(part))
        left -= len(part)
        if len(entries) == _ENTRIES or left == 0:
            assert all(isinstance(outcome, Appended) for outcome in log.append(entries))
            entries = []
    return log.head()


@cache
def _story() -> Sequence[NewEvent]:
    told = Story(MemoryLog())
    told.whole_story()
    return [
        NewEvent(event.stream, event.type, event.schema_number, event.data)
        for event in told.log.read_all(after=0, limit=1_000)
    ]


def _copied(events: Sequence[NewEvent]) -> Entry:
    name = uuid4().hex
    renamed = [
        NewEvent(f"{event.stream.partition('-')[0]}-{name}", event.type, event.schema_number, event.data)
        for event in events
    ]
    return Entry(
        command_id=uuid4(),
        name="test",
        verdict="accepted",
        reads=dict.fromkeys(Counter(event.stream for event in renamed), 0),
        events=renamed,
        actor="system:test",
        channel="test",
        correlation=_TRACE,
    )
