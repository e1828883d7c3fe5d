"""Events as Arrow tables: in their present shape, personal fields null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType
from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.records import RecordedEvent
from replays.export.shapes import ENVELOPE, Column, columns_of

_CODEC = Codec(EVENT_TYPES)
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class EventTable:
    """The table that one type of events makes."""

    def __init__(self, event_type: EventType) -> None:
        self.name = event_type.name
        self._type = event_type
        self._columns = columns_of(event_type.cls)
        own = [(column.name, column.type) for column in self._columns]
        self.schema = pa.schema([*ENVELOPE, *own])
        self._no_personal = dict.fromkeys(event_type.personal)

    def table(self, events: Sequence[RecordedEvent]) -> pa.Table:
        """Of events of this type. UnknownEvent, DecodingFailed."""
        rows = [self._row(event) for event in events]
        try:
            own = [_array(column, rows) for column in self._columns]
        except (pa.ArrowException, TypeError, ValueError, LookupError, AttributeError) as error:
            for event in events:  # Which of them it is, in the words of whoever knows them.
                _CODEC.decode(event)
            raise DecodingFailed(
                f"{self.name} between positions {events[0].position} and {events[-1].position}: {error}"
            ) from error
        return pa.table([*self._envelope(events), *own], schema=self.schema)

    def _row(self, event: RecordedEvent) -> dict[str, Any]:
        """The event's JSON with every field. What is written now has them all; older shapes are read by
        their class, which knows what stands for the missing ones."""
        if event.schema_number == self._type.schema_number:
            try:
                row = _decode_object(event.data)
            except msgspec.MsgspecError as error:
                raise DecodingFailed(f"position {event.position}, {event.type}: {error}") from error
            if len(row) == len(self._columns):
                return row | self._no_personal if self._no_personal else row
        decoded: dict[str, Any] = msgspec.to_builtins(_CODEC.decode(event))
        return decoded | self._no_personal

    def _envelope(self, events: Sequence[RecordedEvent]) -> list[pa.Array]:
        count = len(events)
        columns = [
            [event.position for event in events],
            [event.stream for event in events],
            [event.version for event in events],
            pa.repeat(self.name, count),
            pa.repeat(pa.scalar(self._type.schema_number, pa.int32()), count),
            [event.recorded_at for event in events],
            [event.valid_at for event in events],
            [event.command_id.hex for event in events],
            [event.correlation for event in events],
            [event.causation for event in events],
            [event.actor for event in events],
        ]
        return [
            pa.array(values, type=kind) if isinstance(values, list) else values
            for values, (_, kind) in zip(columns, ENVELOPE, strict=True)
        ]


def event_tables() -> Mapping[str, EventTable]:
    """By stored name; of every type that there is."""
    return {event_type.name: EventTable(event_type) for event_type in EVENT_TYPES}


def tables_of(events: Sequence[RecordedEvent], shapes: Mapping[str, EventTable]) -> dict[str, pa.Table]:
    """A table of each type among the events, in their order. UnknownEvent, DecodingFailed."""
    by_type: dict[str, list[RecordedEvent]] = {}
    for event in events:
        by_type.setdefault(event.type, []).append(event)
    for name, those in by_type.items():
        if name not in shapes:
            raise UnknownEvent(f"position {those[0].position}, {name}: not known here")
    return {name: shapes[name].table(those) for name, those in by_type.items()}


def _array(column: Column, rows: Sequence[dict[str, Any]]) -> pa.Array:
    name, prepare = column.name, column.prepare
    values = [row[name] for row in rows]
    if prepare is not None:
        values = [prepare(value) for value in values]
    if column.is_parsed:
        return pa.array(values, type=pa.string()).cast(column.type)
    return pa.array(values, type=column.type)
