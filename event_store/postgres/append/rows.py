"""Entries as the rows that the append function takes: packed by each call, joined by the batch."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from functools import lru_cache
from struct import Struct

from event_store.postgres.append import arrays
from event_store.postgres.append.arrays import bigint_field, blob_field, blob_prefix, text_field
from event_store.records import Entry

_COMMAND_FIELDS = 13
_EVENT_FIELDS = 10

# Bytes of a row that are always there: what counts its fields, and its fields of a fixed size.
_COMMAND_BYTES = 4 + 24 + 8 + 8 + 24
_EVENT_BYTES = 4 + 8 + 16 + 8
_counts = Struct("!iiiiii").pack

_NO_KEY = arrays.NULL_BLOB + arrays.NULL_BLOB
_event_head = Struct("!iiii").pack  # the row's length and fields, its first field's type and length


Read = tuple[str, int, int]
"""A stream that a command read, the version it saw, and how many events it adds."""


class Packed:
    """One entry: its row of the journal without the counts, its events' rows, and what it read."""

    __slots__ = ("command", "entry", "events", "reads", "size_bytes")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        command_id = arrays.uuid_prefix + entry.command_id.int.to_bytes(16, "big")
        trace = text_field(entry.correlation) + _recurring_text_field(entry.causation)
        who = _recurring_texts(entry.name, entry.verdict, entry.actor, entry.channel)
        key = _NO_KEY if entry.key is None else blob_field(entry.key) + blob_field(entry.request_hash)
        arguments, answer = entry.arguments, entry.answer
        length = _COMMAND_BYTES + len(who) + len(key) + len(arguments) + len(answer) + len(trace)
        self.command = b"".join(
            (
                arrays.row_prefix(length, _COMMAND_FIELDS),
                command_id,
                who,
                key,
                blob_prefix(len(arguments)),
                arguments,
                blob_prefix(len(answer)),
                answer,
                trace,
            )
        )
        self.reads: list[Read]
        if entry.events:
            origin = b"".join(
                (
                    command_id,
                    trace,
                    _recurring_text_field(entry.actor),
                    arrays.NULL_TIME if entry.valid_at is None else arrays.time_field(entry.valid_at),
                )
            )
            self._pack_events(entry, origin)
        else:
            self.events = b""
            self.reads = [(stream, version, 0) for stream, version in entry.reads.items()]
        self.size_bytes = len(self.command) + len(self.events)

    def _pack_events(self, entry: Entry, origin: bytes) -> None:
        pieces: list[bytes] = []
        counted: dict[str, int] = {}
        reads = entry.reads
        for event in entry.events:
            stream = event.stream
            counted[stream] = adds = counted.get(stream, 0) + 1
            name = stream.encode()
            kind = _kind(event.type, event.schema_number)
            data = event.data
            pieces += (
                _event_head(
                    _EVENT_BYTES + len(name) + len(kind) + len(data) + len(origin),
                    _EVENT_FIELDS,
                    arrays.TEXT_OID,
                    len(name),
                ),
                name,
                bigint_field(reads[stream] + adds),
                kind,
                blob_prefix(len(data)),
                data,
                origin,
            )
        self.events = b"".join(pieces)
        self.reads = [(stream, version, counted.get(stream, 0)) for stream, version in reads.items()]


class CommandCall:
    """The entries of one call, packed."""

    __slots__ = ("entries", "marks", "packed", "session", "size_bytes")

    def __init__(self, entries: Sequence[Entry], session: int | None = None) -> None:
        self.entries = entries
        self.session = session  # in which they were decided; None: in any
        self.packed = [Packed(entry) for entry in entries]
        self.size_bytes = sum([packed.size_bytes for packed in self.packed])
        # The same command twice at once is one after the other: the second finds the first's row.
        self.marks: Collection[Hashable] = [entry.command_id.int for entry in entries]


def counts(events: int, events_before: int) -> bytes:
    """What ends a command's row: how many events it has, and how many its forerunners in the batch."""
    return _counts(arrays.INTEGER_OID, 4, events, arrays.INTEGER_OID, 4, events_before)


_recurring_text_field = lru_cache(maxsize=4096)(text_field)


@lru_cache(maxsize=4096)
def _recurring_texts(*texts: str) -> bytes:
    return b"".join([text_field(text) for text in texts])


@lru_cache(maxsize=4096)
def _kind(name: str, schema_number: int) -> bytes:
    return text_field(name) + arrays.integer_field(schema_number)
