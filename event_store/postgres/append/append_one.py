"""The plainest command alone: one event on the one stream that it read, as a call of `append_one`.

Or of `append_next`, where the connection knows what `append_one` would look up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from event_store.postgres.append import arrays
from event_store.postgres.append.batch import Answer, CommandBatch, Parameters, RowTypes, Written
from event_store.postgres.append.end import LogEnd
from event_store.postgres.append.rows import CommandParcel
from event_store.records import Appended


class LoneCommand:
    """One parcel of one such command. See CommandBatch, whose ways it has."""

    smooth = True

    def __init__(self, parcel: CommandParcel, end: LogEnd, *, moving: bool) -> None:
        """`end` is the connection's that it goes over, `moving` while others go over it."""
        self._parcel = parcel
        self.end = end
        (self._entry,) = parcel.entries
        ((self._stream, self._version),) = self._entry.reads.items()
        known = not moving and end.is_likely(self._stream, self._version)
        self._head = end.head if known and self._entry.key is None else None
        self.function = "append_one" if self._head is None else "append_next"

    def parameters(self, types: RowTypes) -> Parameters:
        """In the order that the function declares them."""
        entry = self._entry
        (event,) = entry.events
        correlation, causation, valid_at = entry.correlation, entry.causation, entry.valid_at
        head = self._head
        return [
            *(() if head is None else (head.to_bytes(8, "big"), self.end.at)),
            self._stream.encode(),
            (self._version + 1).to_bytes(8, "big"),
            _recurring(event.type),
            event.schema_number.to_bytes(4, "big"),
            event.data,
            None if valid_at is None else arrays.time_value(valid_at),
            entry.command_id.int.to_bytes(16, "big"),
            _recurring(entry.name),
            _recurring(entry.actor),
            _recurring(entry.channel),
            *((entry.key, entry.request_hash) if head is None else ()),
            entry.arguments,
            entry.answer,
            None if correlation is None else correlation.encode(),
            None if causation is None else causation.encode(),
        ]

    def appended(self, answer: Answer) -> Written | None:
        """The outcome, and the new head; None when nothing was written."""
        if self._head is not None:
            before, at = self._head, answer[0]
        else:
            head_data, at, _ = answer
            if head_data is None:
                return None
            before = arrays.read_bigint(head_data)
        if at is None:
            return None
        self.end.added(before, self._stream, self._version + 1, at)
        position = before + 1
        return [[Appended(position, position, arrays.read_time(at))]], position

    def as_batch(self) -> CommandBatch:
        """For `append_each`."""
        return CommandBatch([self._parcel], self.end)


def whole(
    parcels: Sequence[CommandParcel], end: LogEnd, *, moving: bool = False
) -> CommandBatch | LoneCommand:
    """Parcels as what is to be written whole, in the cheapest way there is for them. See LoneCommand."""
    if len(parcels) == 1:
        entries = parcels[0].entries
        if len(entries) == 1:
            entry = entries[0]
            no_keys = not entry.new_subject_keys and not entry.subject_keys
            if len(entry.events) == 1 == len(entry.reads) and no_keys:
                return LoneCommand(parcels[0], end, moving=moving)
    return CommandBatch(parcels, end)


_recurring = lru_cache(maxsize=4096)(str.encode)
