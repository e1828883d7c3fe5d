"""Calls of the library's door as the parameters of the `insert_events` function."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from event_store import postgres_arrays as arrays
from event_store.postgres_append import Parameters
from event_store.postgres_arrays import recurring_text_item, text_item

PARAMETERS = 10
STATEMENT = f"SELECT insert_events({', '.join(f'${n}' for n in range(1, PARAMETERS + 1))})".encode()

VersionedEvent = tuple[str, int, str, bytes]
"""Stream, version, type, data."""


class InsertParcel:
    """One call: its events, written whole or not at all, and the tracking position that goes with them."""

    kind: Hashable = "events"
    marks: Collection[Hashable] = ()

    def __init__(self, events: Sequence[VersionedEvent], tracking: tuple[str, int] | None) -> None:
        self.entries = events
        self.tracking = tracking
        self.size_bytes = sum(len(data) + 100 for _, _, _, data in events)

    def prepare(self) -> None:
        """Nothing: the batch packs."""


class InsertBatch:
    """Parcels that travel together."""

    def __init__(self, parcels: Sequence[InsertParcel]) -> None:
        self._parcels = parcels

    def parameters(self) -> Parameters:
        """In the order that the function declares them."""
        events = [(n, *event) for n, parcel in enumerate(self._parcels, 1) for event in parcel.entries]
        trackings = [(n, *parcel.tracking) for n, parcel in enumerate(self._parcels, 1) if parcel.tracking]
        return [
            arrays.boolean(self._smooth()),
            len(self._parcels).to_bytes(4, "big"),
            arrays.integers(call for call, _, _, _, _ in events),
            arrays.array(arrays.TEXT_OID, [text_item(stream) for _, stream, _, _, _ in events]),
            arrays.bigints(version for _, _, version, _, _ in events),
            arrays.array(arrays.TEXT_OID, [recurring_text_item(topic) for _, _, _, topic, _ in events]),
            arrays.array(arrays.BYTEA_OID, [arrays.bytes_item(data) for _, _, _, _, data in events]),
            arrays.integers(call for call, _, _ in trackings),
            arrays.array(arrays.TEXT_OID, [text_item(name) for _, name, _ in trackings]),
            arrays.bigints(position for _, _, position in trackings),
        ]

    def results(self, answer: Sequence[bytes | None]) -> tuple[list[list[int] | None], int]:
        """For each parcel its events' positions, or None when it was refused; and the new head."""
        head_data, refused_data = answer
        assert head_data is not None
        head = arrays.read_bigint(head_data)
        refused = set(arrays.read_integers(refused_data)) if refused_data else set()
        results: list[list[int] | None] = []
        for number, parcel in enumerate(self._parcels, 1):
            if number in refused:
                results.append(None)
            else:
                results.append(list(range(head + 1, head + 1 + len(parcel.entries))))
                head += len(parcel.entries)
        return results, head

    def _smooth(self) -> bool:
        """Whether no version comes twice, and each tracked name's positions rise."""
        versions = [(stream, version) for parcel in self._parcels for stream, version, _, _ in parcel.entries]
        if len(set(versions)) < len(versions):
            return False
        tracked: dict[str, int] = {}
        for parcel in self._parcels:
            if parcel.tracking:
                name, position = parcel.tracking
                if name in tracked and tracked[name] >= position:
                    return False
                tracked[name] = position
        return True
