"""Events as Arrow tables: in their present shape, personal fields null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import json

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType
from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.records import RecordedEvent
from replays.export.shapes import ENVELOPE, Column, columns_of

_CODEC = Codec(EVENT_TYPES)


class EventTable:
    """The table that one type of events makes."""

    def __init__(self, event_type: EventType) -> None:
        self.name = event_type.name
        self._type = event_type
        self._columns = columns_of(event_type.cls)
        self._personal = frozenset(event_type.personal)
        own = [(column.name, column.type) for column in self._columns]
        self.schema = pa.schema([*ENVELOPE, *own])
        unread = {column.name for column in self._columns if column.is_read_by_arrow} | self._personal
        fields = [(name, msgspec.Raw if name in unread else Any) for name, _ in own]
        self._row_type = msgspec.defstruct("Row", fields, forbid_unknown_fields=True, gc=False)
        self._decoder = msgspec.json.Decoder(self._row_type)

    def table(self, events: Sequence[RecordedEvent]) -> pa.Table:
        """Of events of this type. UnknownEvent, DecodingFailed."""
        rows = [self._row(event) for event in events]
        try:
            own = [self._array(column, rows) for column in self._columns]
        except (pa.ArrowException, TypeError, ValueError, LookupError, AttributeError) as error:
            for event in events:  # Which of them it is, in the words of whoever knows them.
                _CODEC.decode(event)
            raise DecodingFailed(
                f"{self.name} between positions {events[0].position} and {events[-1].position}: {error}"
            ) from error
        return pa.table([*self._envelope(events), *own], schema=self.schema)

    def _row(self, event: RecordedEvent) -> Any:
        """The event's JSON with every field. What is written now has them all; other shapes are read by their
        class, which knows what stands for the missing ones."""
        if event.schema_number == self._type.schema_number:
            with suppress(msgspec.MsgspecError):
                return self._decoder.decode(event.data)
        return self._decoder.decode(msgspec.json.encode(_CODEC.decode(event)))

    def _array(self, column: Column, rows: Sequence[Any]) -> pa.Array:
        if column.name in self._personal:
            return pa.nulls(len(rows), column.type)
        values = list(map(attrgetter(column.name), rows))
        if column.is_read_by_arrow:
            return _read_by_arrow(values, column.type)
        if column.prepare is not None:
            values = list(map(column.prepare, values))
        if column.is_parsed:
            return pa.array(values, type=pa.string()).cast(column.type)
        return pa.array(values, type=column.type)

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


def _read_by_arrow(values: Sequence[msgspec.Raw], kind: pa.DataType) -> pa.Array:
    """Lists with many parts as their JSON: Arrow reads it without holding up other threads."""
    lines = b'{"_":' + b'}\n{"_":'.join(values) + b"}\n"
    table = json.read_json(
        pa.BufferReader(lines),
        read_options=json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=json.ParseOptions(
            explicit_schema=pa.schema([("_", kind)]), unexpected_field_behavior="error"
        ),
    )
    return table["_"].combine_chunks()
