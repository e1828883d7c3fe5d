"""A batch of commands as the parameters of the `append` function, and its answer as their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from event_store import postgres_arrays as arrays
from event_store.postgres_arrays import NULL, bytes_item, integer_item, recurring_text_item, text_item
from event_store.records import Appended, Entry, JournalRow, KeyReused, Moved, Outcome, Replayed

PARAMETERS = 36
STATEMENT = f"SELECT * FROM append({', '.join(f'${n}' for n in range(1, PARAMETERS + 1))})".encode()

Parameters = list[bytes | None]


class CommandParcel:
    """The entries of one call, each already in the form that it travels in."""

    kind: Hashable = "commands"

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.packed = [_Packed(entry) for entry in entries]
        self.size_bytes = sum(packed.size_bytes for packed in self.packed)
        # The same command twice at once is one after the other: the second finds the first's row.
        self.marks: frozenset[Hashable] = frozenset([entry.command_id for entry in entries])


class _Packed:
    """One entry: a row of the journal, its events' rows, and what is asked of the state."""

    __slots__ = ("events", "reads", "row", "size_bytes", "subjects")

    def __init__(self, entry: Entry) -> None:
        command_id = arrays.uuid_item(entry.command_id)
        actor = recurring_text_item(entry.actor)
        correlation = NULL if entry.correlation is None else text_item(entry.correlation)
        causation = NULL if entry.causation is None else recurring_text_item(entry.causation)
        valid_at = NULL if entry.valid_at is None else arrays.time_item(entry.valid_at)
        self.row = (
            command_id,
            recurring_text_item(entry.name),
            recurring_text_item(entry.verdict),
            actor,
            recurring_text_item(entry.channel),
            bytes_item(entry.key),
            bytes_item(entry.request_hash),
            bytes_item(entry.arguments),
            bytes_item(entry.answer),
            correlation,
            causation,
            integer_item(len(entry.events)),
            integer_item(len(entry.reads)),
        )
        self.size_bytes = 200 + len(entry.arguments) + len(entry.answer)
        self.events = []
        added: dict[str, int] = {}
        for event in entry.events:
            stream = event.stream
            added[stream] = adds = added.get(stream, 0) + 1
            self.size_bytes += 100 + len(event.data)
            self.events.append(
                (
                    text_item(stream),
                    arrays.bigint_item(entry.reads[stream] + adds),
                    recurring_text_item(event.type),
                    integer_item(event.schema_number),
                    bytes_item(event.data),
                    command_id,
                    correlation,
                    causation,
                    actor,
                    valid_at,
                )
            )
        self.reads = [(stream, version, added.get(stream, 0)) for stream, version in entry.reads.items()]
        self.subjects = list(entry.new_subject_keys.items())


class _Judgement(msgspec.Struct):
    """What the function says when not every command was appended. Numbers count from 1."""

    fates: list[int]
    earlier: list[UUID | None]
    moved_command: list[int]
    moved_stream: list[int]
    other_command: list[int]
    other_subject: list[str]


_MOVED, _REPLAYED, _KEY_REUSED = 1, 2, 3
_judgements = msgspec.json.Decoder(_Judgement)


class CommandBatch:
    """Parcels that travel together."""

    def __init__(self, parcels: Sequence[CommandParcel]) -> None:
        self._parcels = parcels
        self._entries = [entry for parcel in parcels for entry in parcel.entries]
        self._packed = [packed for parcel in parcels for packed in parcel.packed]
        self._streams: dict[str, int] = {}  # name → its number in the batch

    def parameters(self) -> Parameters:
        """In the order that the function declares them."""
        smooth, bases, reads = self._reads()
        same_key, twins = self._twins()
        other_key, subjects = self._subjects()
        columns = list(zip(*[packed.row for packed in self._packed], strict=True))
        events = [row for packed in self._packed for row in packed.events]
        event_columns = list(zip(*events, strict=True)) or [()] * 10
        owners = [number for number, packed in enumerate(self._packed, 1) for _ in packed.events]
        texts, uuids, blobs = arrays.TEXT_OID, arrays.UUID_OID, arrays.BYTEA_OID
        bigints, integers = arrays.BIGINT_OID, arrays.INTEGER_OID
        return [
            arrays.boolean(smooth and not same_key and not other_key),
            arrays.array(texts, [text_item(stream) for stream in self._streams]),
            arrays.bigints(bases),
            arrays.array(uuids, columns[0]),
            *(arrays.array(texts, column) for column in columns[1:5]),
            *(arrays.sparse_array(blobs, column) for column in columns[5:7]),
            *(arrays.array(blobs, column) for column in columns[7:9]),
            *(arrays.sparse_array(texts, column) for column in columns[9:11]),
            *(arrays.array(integers, column) for column in columns[11:13]),
            arrays.integers(twins),
            arrays.integers(owners),
            arrays.array(texts, event_columns[0]),
            arrays.array(bigints, event_columns[1]),
            arrays.array(texts, event_columns[2]),
            arrays.array(integers, event_columns[3]),
            arrays.array(blobs, event_columns[4]),
            arrays.array(uuids, event_columns[5]),
            arrays.sparse_array(texts, event_columns[6]),
            arrays.sparse_array(texts, event_columns[7]),
            arrays.array(texts, event_columns[8]),
            arrays.sparse_array(arrays.TIMESTAMPTZ_OID, event_columns[9]),
            *reads,
            *self._mates(),
            *subjects,
        ]

    def outcomes(
        self,
        answer: Sequence[bytes | None],
        rows: Callable[[list[UUID]], dict[UUID, JournalRow]],
    ) -> tuple[list[list[Outcome]], int]:
        """The entries' outcomes, parcel by parcel, and the new head.

        `rows` reads the journal, for what was replayed.
        """
        head_data, at_data, judgement_data = answer
        assert head_data is not None and at_data is not None
        head, at = arrays.read_bigint(head_data), arrays.read_time(at_data)
        judgement = None if judgement_data is None else _judgements.decode(judgement_data)
        fates = [0] * len(self._entries) if judgement is None else judgement.fates
        outcomes = self._refusals(judgement, rows) if judgement else {}
        for number, (entry, fate) in enumerate(zip(self._entries, fates, strict=True), 1):
            if fate == 0:
                outcomes[number] = _appended(entry, head, at)
                head += len(entry.events)
        in_order = iter([outcomes[number] for number in range(1, len(self._entries) + 1)])
        return [[next(in_order) for _ in parcel.entries] for parcel in self._parcels], head

    def _refusals(
        self, judgement: _Judgement, rows: Callable[[list[UUID]], dict[UUID, JournalRow]]
    ) -> dict[int, Outcome]:
        names = list(self._streams)
        streams: dict[int, list[str]] = {}
        for command, stream in zip(judgement.moved_command, judgement.moved_stream, strict=True):
            streams.setdefault(command, []).append(names[stream - 1])
        subjects: dict[int, list[str]] = {}
        for command, subject in zip(judgement.other_command, judgement.other_subject, strict=True):
            subjects.setdefault(command, []).append(subject)
        earlier = {
            number: command_id
            for number, (fate, command_id) in enumerate(
                zip(judgement.fates, judgement.earlier, strict=True), 1
            )
            if fate == _REPLAYED and command_id is not None
        }
        journal = rows(list(earlier.values())) if earlier else {}
        refusals: dict[int, Outcome] = {}
        for number, fate in enumerate(judgement.fates, 1):
            if fate == _MOVED:
                refusals[number] = Moved(tuple(streams.get(number, ())), tuple(subjects.get(number, ())))
            elif fate == _REPLAYED:
                refusals[number] = Replayed(journal[earlier[number]])
            elif fate == _KEY_REUSED:
                refusals[number] = KeyReused()
        return refusals

    def _reads(self) -> tuple[bool, list[int], Parameters]:
        """Whether each read what its neighbours leave; the streams' first versions; the r_ arrays."""
        smooth = True
        numbers = self._streams
        bases: list[int] = []
        stands_at: list[int] = []
        streams: list[int] = []
        versions: list[int] = []
        adds: list[int] = []
        for packed in self._packed:
            for stream, version, added in packed.reads:
                number = numbers.get(stream)
                if number is None:
                    numbers[stream] = number = len(numbers) + 1
                    bases.append(version)
                    stands_at.append(version + added)
                else:
                    smooth = smooth and stands_at[number - 1] == version
                    stands_at[number - 1] = version + added
                streams.append(number)
                versions.append(version)
                adds.append(added)
        return smooth, bases, [arrays.integers(streams), arrays.bigints(versions), arrays.integers(adds)]

    def _twins(self) -> tuple[bool, list[int]]:
        """Whether any key is there twice; and for each command the nearest before it with the same key."""
        last: dict[bytes, int] = {}
        twins = []
        for number, entry in enumerate(self._entries, 1):
            if entry.key is None:
                twins.append(0)
            else:
                twins.append(last.get(entry.key, 0))
                last[entry.key] = number
        return any(twins), twins

    def _mates(self) -> Parameters:
        numbers: dict[UUID, int] | None = None
        commands: list[int] = []
        mates: list[int] = []
        for number, entry in enumerate(self._entries, 1):
            if entry.decided_on:
                numbers = numbers or {e.command_id: n for n, e in enumerate(self._entries, 1)}
                commands += [number] * len(entry.decided_on)
                mates += [numbers[mate] for mate in entry.decided_on]
        return [arrays.integers(commands), arrays.integers(mates)]

    def _subjects(self) -> tuple[bool, Parameters]:
        """Whether one subject comes with two keys; and the k_ arrays."""
        keys: dict[str, bytes] = {}
        rows = [
            (number, subject, key)
            for number, packed in enumerate(self._packed, 1)
            for subject, key in packed.subjects
        ]
        differ = any(keys.setdefault(subject, key) != key for _, subject, key in rows)
        return differ, [
            arrays.integers(number for number, _, _ in rows),
            arrays.array(arrays.TEXT_OID, [text_item(subject) for _, subject, _ in rows]),
            arrays.array(arrays.BYTEA_OID, [bytes_item(key) for _, _, key in rows]),
        ]


def _appended(entry: Entry, head: int, at: datetime) -> Appended:
    if not entry.events:
        return Appended(None, None, at)
    return Appended(head + 1, head + len(entry.events), at)
