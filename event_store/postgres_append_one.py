"""The plainest command alone as a call of `append_one`: one event on the one stream that it read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from event_store import postgres_arrays as arrays
from event_store.postgres_append import Answer, CommandBatch, Parameters, RowTypes, Written
from event_store.postgres_rows import CommandParcel
from event_store.records import Appended


class LoneCommand:
    """One parcel of one such command. See CommandBatch, whose ways it has."""

    function = "append_one"
    smooth = True

    def __init__(self, parcel: CommandParcel) -> None:
        self._parcel = parcel

    def parameters(self, types: RowTypes) -> Parameters:
        """In the order that `append_one` declares them."""
        (entry,) = self._parcel.entries
        (event,) = entry.events
        correlation, causation, valid_at = entry.correlation, entry.causation, entry.valid_at
        return [
            event.stream.encode(),
            (entry.reads[event.stream] + 1).to_bytes(8, "big"),
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
        head_data, at_data = answer[:2]
        if head_data is None:
            return None
        assert at_data is not None
        position = arrays.read_bigint(head_data) + 1
        return [[Appended(position, position, arrays.read_time(at_data))]], position

    def as_batch(self) -> CommandBatch:
        """For `append_each`."""
        return CommandBatch([self._parcel])


def whole(parcels: Sequence[CommandParcel]) -> CommandBatch | LoneCommand:
    """Parcels as what is to be written whole, in the cheapest way there is for them."""
    if len(parcels) == 1:
        entries = parcels[0].entries
        if len(entries) == 1:
            entry = entries[0]
            if len(entry.events) == 1 == len(entry.reads) and not entry.new_subject_keys:
                return LoneCommand(parcels[0])
    return CommandBatch(parcels)


_recurring = lru_cache(maxsize=4096)(str.encode)
