"""The plainest command alone as a call of `append_next`: one event on the one stream that it read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from event_store import postgres_arrays as arrays
from event_store.postgres_append import Answer, CommandBatch, Parameters, RowTypes, Written
from event_store.postgres_end import LogEnd
from event_store.postgres_rows import CommandParcel
from event_store.records import Appended


class LoneCommand:
    """One parcel of one such command. See CommandBatch, whose ways it has."""

    function = "append_next"
    smooth = True

    def __init__(self, parcel: CommandParcel, end: LogEnd) -> None:
        """`end` is the connection's that it goes over."""
        self._parcel = parcel
        self._end = end

    def parameters(self, types: RowTypes) -> Parameters:
        """In the order that `append_next` declares them."""
        (entry,) = self._parcel.entries
        (event,) = entry.events
        end, stream, version = self._end, event.stream, entry.reads[event.stream]
        correlation, causation, valid_at = entry.correlation, entry.causation, entry.valid_at
        return [
            end.head.to_bytes(8, "big"),
            arrays.boolean(end.version(stream) == version),
            stream.encode(),
            (version + 1).to_bytes(8, "big"),
            _recurring(event.type),
            event.schema_number.to_bytes(4, "big"),
            event.data,
            None if valid_at is None else arrays.time_value(valid_at),
            entry.command_id.int.to_bytes(16, "big"),
            _recurring(entry.name),
            _recurring(entry.actor),
            _recurring(entry.channel),
            entry.key,
            entry.request_hash,
            entry.arguments,
            entry.answer,
            None if correlation is None else correlation.encode(),
            None if causation is None else causation.encode(),
        ]

    def appended(self, answer: Answer) -> Written | None:
        """The outcome, and the new head; None when nothing was written."""
        (at,) = answer
        if at is None:
            return None
        ((stream, version),) = self._parcel.entries[0].reads.items()
        self._end.added(stream, version + 1)
        position = self._end.head
        return [[Appended(position, position, arrays.read_time(at))]], position

    @staticmethod
    def waited(answer: Answer) -> bool:
        """Never: where somebody else holds the lock, nothing is written."""
        return False

    def as_batch(self) -> CommandBatch:
        """For `append_each`."""
        return CommandBatch([self._parcel], self._end)


def whole(parcels: Sequence[CommandParcel], end: LogEnd) -> CommandBatch | LoneCommand:
    """Parcels as what is to be written whole, in the cheapest way there is for them."""
    if len(parcels) == 1 and end.is_likely:
        entries = parcels[0].entries
        if len(entries) == 1:
            entry = entries[0]
            if len(entry.events) == 1 == len(entry.reads) and not entry.new_subject_keys:
                return LoneCommand(parcels[0], end)
    return CommandBatch(parcels, end)


_recurring = lru_cache(maxsize=4096)(str.encode)
