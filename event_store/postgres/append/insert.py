"""Calls of the library as the parameters of the `insert_events` function."""

from __future__ import annotations

import struct
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import chain

from event_store.errors import InvalidEntry
from event_store.limits import ENTRY_BYTES_MAX, is_storable
from event_store.postgres.append import arrays
from event_store.postgres.append.arrays import recurring_text_item, text_item
from event_store.postgres.append.batch import Answer, Parameters, RowTypes

PARAMETERS = 10
STATEMENT = f"SELECT insert_events({', '.join(f'${n}' for n in range(1, PARAMETERS + 1))})".encode()

NAME_BYTES_MAX = 2_000  # Longer ones do not fit into an index.

VersionedEvent = tuple[str, int, str, bytes]
"""Stream, version, type, data."""


class InsertCall:
    """One call: its events, written whole or not at all, and the tracking position that goes with them."""

    marks: Collection[Hashable] = ()
    session = None

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


def check_storable(events: Sequence[VersionedEvent], tracking: tuple[str, int] | None = None) -> None:
    """InvalidEntry for texts that the database cannot hold, and for what is too long."""
    names = [stream for stream, _, _, _ in events] + ([tracking[0]] if tracking else [])
    for text in (*names, *(topic for _, _, topic, _ in events)):
        if not is_storable(text):
            raise InvalidEntry(f"a text holds NUL or half a surrogate pair: {text[:100]!r}")
    for name in names:
        if len(name.encode()) > NAME_BYTES_MAX:
            raise InvalidEntry(f"a name of more than {NAME_BYTES_MAX} bytes: {name[:100]}")
    for _, _, _, data in events:
        if not isinstance(data, bytes | bytearray):
            raise InvalidEntry(f"data that is {type(data).__name__}, not bytes")
    size_bytes = sum(len(data) for _, _, _, data in events)
    if size_bytes > ENTRY_BYTES_MAX:
        raise InvalidEntry(f"{size_bytes} bytes in one call, more than {ENTRY_BYTES_MAX}")


def _joined(items: Iterable[list[bytes]]) -> list[bytes]:
    return list(chain.from_iterable(items))


class InsertBatch:
    """Calls that travel together."""

    function = "insert_events"
    consistent = True

    def __init__(self, calls: Sequence[InsertCall]) -> None:
        self._calls = calls

    def parameters(self, _: RowTypes) -> Parameters:
        """In the order that the function declares them."""
        calls = self._calls
        texts, numbers, blobs = arrays.TEXT_OID, arrays.BIGINT_OID, arrays.BYTEA_OID
        return [
            arrays.boolean(self._is_consistent()),
            len(calls).to_bytes(4, "big"),
            arrays.integers(number for number, call in enumerate(calls, 1) for _ in call.entries),
            arrays.array(texts, _joined(call.streams for call in calls)),
            arrays.array(numbers, _joined(call.versions for call in calls)),
            arrays.array(texts, _joined(call.topics for call in calls)),
            arrays.array(blobs, _joined(call.data for call in calls)),
            arrays.integers(number for number, call in enumerate(calls, 1) if call.tracking),
            arrays.array(texts, _joined(call.tracked for call in calls)),
            arrays.array(numbers, _joined(call.reached for call in calls)),
        ]

    def waited(self, _: Answer) -> bool:
        """The function does not report it."""
        return False

    def written(self, answer: Answer) -> tuple[list[list[int] | None], int]:
        """For each call its events' positions, or None when it was refused; and the new head."""
        head_data, refused_data = answer
        assert head_data is not None
        head = arrays.read_bigint(head_data)
        refused = set(arrays.read_integers(refused_data)) if refused_data else set()
        results: list[list[int] | None] = []
        for number, call in enumerate(self._calls, 1):
            if number in refused:
                results.append(None)
            else:
                results.append(list(range(head + 1, head + 1 + len(call.entries))))
                head += len(call.entries)
        return results, head

    def _is_consistent(self) -> bool:
        """Whether no version comes twice, and each tracked name's positions rise."""
        versions = [(stream, version) for call in self._calls for stream, version, _, _ in call.entries]
        if len(set(versions)) < len(versions):
            return False
        tracked: dict[str, int] = {}
        for call in self._calls:
            if call.tracking:
                name, position = call.tracking
                if name in tracked and tracked[name] >= position:
                    return False
                tracked[name] = position
        return True
