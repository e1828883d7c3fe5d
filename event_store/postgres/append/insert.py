"""Calls of the library's door as the parameters of the `insert_events` function."""

from __future__ import annotations

import struct
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import chain

from event_store.errors import InvalidEntry
from event_store.limits import ENTRY_BYTES_MAX, is_storable
from event_store.postgres.append import arrays
from event_store.postgres.append.arrays import recurring_text_item, text_item
from event_store.postgres.append.batch import Parameters

PARAMETERS = 10
STATEMENT = f"SELECT insert_events({', '.join(f'${n}' for n in range(1, PARAMETERS + 1))})".encode()

NAME_BYTES_MAX = 2_000  # Longer ones do not fit into an index.

VersionedEvent = tuple[str, int, str, bytes]
"""Stream, version, type, data."""


class InsertParcel:
    """One call: its events, written whole or not at all, and the tracking position that goes with them."""

    kind: Hashable = "events"
    marks: Collection[Hashable] = ()

    def __init__(self, events: Sequence[VersionedEvent], tracking: tuple[str, int] | None) -> None:
        """InvalidEntry for what the database cannot hold: it must not come to its batch-mates' call."""
        self.entries = events
        self.tracking = tracking
        try:
            check_storable(events, tracking)
            self.streams = [text_item(stream) for stream, _, _, _ in events]
            self.versions = [arrays.bigint_item(version) for _, version, _, _ in events]
            self.topics = [recurring_text_item(topic) for _, _, topic, _ in events]
            self.data = [arrays.bytes_item(data) for _, _, _, data in events]
            self.tracked = [text_item(tracking[0])] if tracking else []
            self.reached = [arrays.bigint_item(tracking[1])] if tracking else []
        except (struct.error, TypeError, AttributeError) as error:
            raise InvalidEntry(f"not what can be stored: {error}") from error
        self.size_bytes = sum(map(len, self.data)) + 100 * len(events)

    def prepare(self) -> None:
        """Nothing: it is packed."""


def check_storable(events: Sequence[VersionedEvent], tracking: tuple[str, int] | None = None) -> None:
    """InvalidEntry for texts that the database cannot hold, and for what is too long."""
    names = [stream for stream, _, _, _ in events] + ([tracking[0]] if tracking else [])
    for text in (*names, *(topic for _, _, topic, _ in events)):
        if not is_storable(text):
            raise InvalidEntry(f"a text holds NUL or half a surrogate pair: {text[:100]!r}")
    for name in names:
        if len(name.encode()) > NAME_BYTES_MAX:
            raise InvalidEntry(f"a name of more than {NAME_BYTES_MAX} bytes: {name[:100]}")
    size_bytes = sum(len(data) for _, _, _, data in events)
    if size_bytes > ENTRY_BYTES_MAX:
        raise InvalidEntry(f"{size_bytes} bytes in one call, more than {ENTRY_BYTES_MAX}")


def _joined(items: Iterable[list[bytes]]) -> list[bytes]:
    return list(chain.from_iterable(items))


class InsertBatch:
    """Parcels that travel together."""

    def __init__(self, parcels: Sequence[InsertParcel]) -> None:
        self._parcels = parcels

    def parameters(self) -> Parameters:
        """In the order that the function declares them."""
        parcels = self._parcels
        texts, numbers, blobs = arrays.TEXT_OID, arrays.BIGINT_OID, arrays.BYTEA_OID
        return [
            arrays.boolean(self._smooth()),
            len(parcels).to_bytes(4, "big"),
            arrays.integers(call for call, parcel in enumerate(parcels, 1) for _ in parcel.entries),
            arrays.array(texts, _joined(parcel.streams for parcel in parcels)),
            arrays.array(numbers, _joined(parcel.versions for parcel in parcels)),
            arrays.array(texts, _joined(parcel.topics for parcel in parcels)),
            arrays.array(blobs, _joined(parcel.data for parcel in parcels)),
            arrays.integers(call for call, parcel in enumerate(parcels, 1) if parcel.tracking),
            arrays.array(texts, _joined(parcel.tracked for parcel in parcels)),
            arrays.array(numbers, _joined(parcel.reached for parcel in parcels)),
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
