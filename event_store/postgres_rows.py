"""Entries as the rows that the append function takes: packed by each caller, joined by who sends a batch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from event_store import postgres_arrays as arrays
from event_store.postgres_arrays import TEXT_OID, bigint_field, blob_field, text_field
from event_store.records import Entry

_COMMAND_FIELDS = 13
_EVENT_FIELDS = 10

_COUNTS_BYTES = 24
_counts = Struct("!iiiiii").pack

_event_head = Struct("!iiii").pack  # the row's length and fields, its first field's type and length


class Read(NamedTuple):
    """A stream that a command read, the version it saw, and how many events it adds."""

    stream: str
    version: int
    adds: int


class Packed:
    """One entry: its row of the journal without the counts, its events' rows, and what it read."""

    __slots__ = ("command", "entry", "events", "reads", "size_bytes")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        command_id = arrays.uuid_prefix + entry.command_id.bytes
        correlation = text_field(entry.correlation)
        causation = text_field(entry.causation)
        body = b"".join(
            (
                command_id,
                _origin(entry.name, entry.verdict, entry.actor, entry.channel),
                blob_field(entry.key),
                blob_field(entry.request_hash),
                blob_field(entry.arguments),
                blob_field(entry.answer),
                correlation,
                causation,
            )
        )
        self.command = arrays.row_prefix(4 + len(body) + _COUNTS_BYTES, _COMMAND_FIELDS) + body
        pieces: list[bytes] = []
        added: dict[str, int] = {}
        reads = entry.reads
        if entry.events:
            origin = b"".join(
                (
                    command_id,
                    correlation,
                    causation,
                    _recurring_text_field(entry.actor),
                    arrays.time_field(entry.valid_at),
                )
            )
            for event in entry.events:
                stream = event.stream
                added[stream] = adds = added.get(stream, 0) + 1
                name = stream.encode()
                kind = _kind(event.type, event.schema_number)
                data = event.data
                length = 36 + len(name) + len(kind) + len(data) + len(origin)
                pieces += (
                    _event_head(length, _EVENT_FIELDS, TEXT_OID, len(name)),
                    name,
                    bigint_field(reads[stream] + adds),
                    kind,
                    arrays.blob_prefix(len(data)),
                    data,
                    origin,
                )
        self.events = b"".join(pieces)
        self.reads = [Read(stream, version, added.get(stream, 0)) for stream, version in reads.items()]
        self.size_bytes = len(self.command) + len(self.events)


class CommandParcel:
    """The entries of one call, each already in the form that it travels in."""

    __slots__ = ("entries", "marks", "packed", "size_bytes")

    kind: Hashable = "commands"

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.packed = [Packed(entry) for entry in entries]
        self.size_bytes = sum([packed.size_bytes for packed in self.packed])
        # The same command twice at once is one after the other: the second finds the first's row.
        self.marks: frozenset[Hashable] = frozenset([entry.command_id for entry in entries])


def counts(events: int, events_before: int) -> bytes:
    """What ends a command's row: how many events it has, and how many its forerunners in the batch."""
    return _counts(arrays.INTEGER_OID, 4, events, arrays.INTEGER_OID, 4, events_before)


_recurring_text_field = lru_cache(maxsize=4096)(text_field)


@lru_cache(maxsize=4096)
def _origin(*texts: str) -> bytes:
    return b"".join([text_field(text) for text in texts])


@lru_cache(maxsize=4096)
def _kind(name: str, schema_number: int) -> bytes:
    return text_field(name) + arrays.integer_field(schema_number)
