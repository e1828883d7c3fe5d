"""A batch of commands as a call of `append` or `append_each`, and the answer as the commands' outcomes.

Every answer begins with the head before the batch (NULL: nothing was written), the time, and whether the
lock was waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from event_store.postgres.append import arrays
from event_store.postgres.append.arrays import bytes_item, text_item
from event_store.postgres.append.rows import CommandCall, counts
from event_store.records import Appended, Entry, JournalRow, KeyReused, Moved, Outcome, Replayed

Parameters = list[bytes | None]
Answer = Sequence[bytes | None]
Written = tuple[list[list[Outcome]], int]
"""The outcomes, call by call, and the log's new head."""
Journal = Callable[[list[UUID]], dict[UUID, JournalRow]]
"""Reads rows of the journal, for what was replayed."""


class RowTypes(NamedTuple):
    """What the database calls the rows that travel: each schema's own numbers."""

    command: int
    event: int


def _statement(function: str, parameters: int) -> bytes:
    # As a column, not from it: a function in FROM goes through a table of its own.
    return f"SELECT {function}({', '.join(f'${n}' for n in range(1, parameters + 1))})".encode()


STATEMENTS = {
    "append": _statement("append", 8),
    "append_each": _statement("append_each", 18),
}
ROW_TYPES = "SELECT 'new_command'::regtype::oid, 'new_event'::regtype::oid, (SELECT id::text FROM log)"


class _Judgement(msgspec.Struct):
    """The result of append_each. Numbers count from 1."""

    fates: list[int]
    earlier: list[UUID | None]
    moved_command: list[int]
    moved_stream: list[int]
    other_command: list[int]
    other_subject: list[str]


_MOVED, _REPLAYED, _KEY_REUSED = 1, 2, 3
_judgements = msgspec.json.Decoder(_Judgement)


def _subjects_of(entry: Entry) -> Iterator[tuple[str, bytes, bool]]:
    """Each subject whose key the entry brings or read, the key, and whether it is new."""
    for subject, key in entry.new_subject_keys.items():
        yield subject, key, True
    for subject, key in entry.subject_keys.items():
        yield subject, key, False


class CommandBatch:
    """Calls that travel together.

    `consistent`: the commands fit each other, so that only the state before the batch is in question. Then
    `append` is called, and `append_each` where it wrote nothing; otherwise `append_each` at once.
    """

    function = "append"

    def __init__(self, calls: Sequence[CommandCall]) -> None:
        self._calls = calls
        self._packed = [packed for call in calls for packed in call.packed]
        self._streams: dict[str, tuple[int, int, int]] = {}  # name → number, first version, last version
        self._keys: set[bytes] = set()
        self._subjects: dict[str, tuple[bytes, bool]] = {}  # its key, and whether it is new
        self.consistent = self._index()

    def parameters(self, types: RowTypes) -> Parameters:
        """In the order that `append` declares them."""
        texts, blobs = arrays.TEXT_OID, arrays.BYTEA_OID
        return [
            arrays.array(texts, [text_item(stream) for stream in self._streams]),
            arrays.bigints([first for _, first, _ in self._streams.values()]),
            arrays.array(blobs, [bytes_item(key) for key in self._keys]),
            arrays.array(texts, [text_item(subject) for subject in self._subjects]),
            arrays.array(blobs, [bytes_item(key) for key, _ in self._subjects.values()]),
            arrays.array(
                arrays.BOOLEAN_OID, [arrays.boolean_item(new) for _, new in self._subjects.values()]
            ),
            *self._rows(types),
        ]

    def waited(self, answer: Answer) -> bool:
        """Whether another process held the log's lock."""
        waited = answer[2]
        return waited is not None and arrays.read_boolean(waited)

    def written(self, answer: Answer) -> Written | None:
        """The outcomes of `append`, call by call, and the new head; None when it wrote nothing."""
        head_data, at_data, _ = answer
        if head_data is None:
            return None
        assert at_data is not None
        head, at = arrays.read_bigint(head_data), arrays.read_time(at_data)
        without_events = Appended(None, None, at)
        outcomes: list[list[Outcome]] = []
        for call in self._calls:
            mine: list[Outcome] = []
            for entry in call.entries:
                if entry.events:
                    first = head + 1
                    head += len(entry.events)
                    mine.append(Appended(first, head, at))
                else:
                    mine.append(without_events)
            outcomes.append(mine)
        return outcomes, head

    def append_each_parameters(self, types: RowTypes) -> Parameters:
        """In the order that `append_each` declares them."""
        entries = [packed.entry for packed in self._packed]
        numbers = {entry.command_id: number for number, entry in enumerate(entries, 1)}
        reads = [read for packed in self._packed for read in packed.reads]
        mates = [
            (number, numbers[mate]) for number, entry in enumerate(entries, 1) for mate in entry.decided_on
        ]
        subjects = [
            (number, *subject) for number, entry in enumerate(entries, 1) for subject in _subjects_of(entry)
        ]
        texts, blobs = arrays.TEXT_OID, arrays.BYTEA_OID
        return [
            arrays.array(texts, [text_item(stream) for stream in self._streams]),
            arrays.array(arrays.UUID_OID, [arrays.uuid_item(entry.command_id) for entry in entries]),
            arrays.array(
                arrays.BOOLEAN_OID, [arrays.boolean_item(entry.verdict == "refused") for entry in entries]
            ),
            arrays.array(blobs, [bytes_item(entry.key) for entry in entries]),
            arrays.array(blobs, [bytes_item(entry.request_hash) for entry in entries]),
            arrays.integers(len(packed.reads) for packed in self._packed),
            arrays.integers(self._twins()),
            arrays.integers(self._streams[stream][0] for stream, _, _ in reads),
            arrays.bigints(version for _, version, _ in reads),
            arrays.integers(adds for _, _, adds in reads),
            arrays.integers(number for number, _ in mates),
            arrays.integers(mate for _, mate in mates),
            arrays.integers(number for number, _, _, _ in subjects),
            arrays.array(texts, [text_item(subject) for _, subject, _, _ in subjects]),
            arrays.array(blobs, [bytes_item(key) for _, _, key, _ in subjects]),
            arrays.array(arrays.BOOLEAN_OID, [arrays.boolean_item(new) for _, _, _, new in subjects]),
            *self._rows(types),
        ]

    def judged(self, answer: Answer, journal: Journal) -> Written:
        """The outcomes of `append_each`, call by call, and the new head."""
        head_data, at_data, _, judgement_data = answer
        assert head_data is not None and at_data is not None and judgement_data is not None
        head, at = arrays.read_bigint(head_data), arrays.read_time(at_data)
        judgement = _judgements.decode(judgement_data)
        outcomes = self._refusals(judgement, journal)
        for number, (packed, fate) in enumerate(zip(self._packed, judgement.fates, strict=True), 1):
            if fate == 0:
                appended = len(packed.entry.events)
                outcomes[number] = (
                    Appended(head + 1, head + appended, at) if appended else Appended(None, None, at)
                )
                head += appended
        in_order = iter([outcomes[number] for number in range(1, len(self._packed) + 1)])
        return [[next(in_order) for _ in call.entries] for call in self._calls], head

    def _index(self) -> bool:
        """Whether each read what its neighbours leave, no key comes twice, and subjects' keys agree."""
        consistent = True
        streams, keys, subjects = self._streams, self._keys, self._subjects
        for packed in self._packed:
            for name, version, adds in packed.reads:
                seen = streams.get(name)
                if seen is None:
                    streams[name] = (len(streams) + 1, version, version + adds)
                else:
                    at, first, last = seen
                    consistent = consistent and last == version
                    streams[name] = (at, first, version + adds)
            entry = packed.entry
            if entry.key is not None:
                consistent = consistent and entry.key not in keys
                keys.add(entry.key)
            if entry.new_subject_keys or entry.subject_keys:
                for subject, key, new in _subjects_of(entry):
                    consistent = subjects.setdefault(subject, (key, new)) == (key, new) and consistent
        return consistent

    def _rows(self, types: RowTypes) -> Parameters:
        commands: list[bytes] = []
        events: list[bytes] = []
        before = 0
        for packed in self._packed:
            appended = len(packed.entry.events)
            commands.append(packed.command)
            commands.append(counts(appended, before))
            events.append(packed.events)
            before += appended
        return [
            arrays.joined_array(types.command, len(self._packed), commands),
            arrays.joined_array(types.event, before, events),
        ]

    def _twins(self) -> list[int]:
        """For each command the nearest before it with the same key."""
        last: dict[bytes, int] = {}
        twins = []
        for number, packed in enumerate(self._packed, 1):
            key = packed.entry.key
            twins.append(0 if key is None else last.get(key, 0))
            if key is not None:
                last[key] = number
        return twins

    def _refusals(self, judgement: _Judgement, journal: Journal) -> dict[int, Outcome]:
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
        rows = journal(list(earlier.values())) if earlier else {}
        refusals: dict[int, Outcome] = {}
        for number, fate in enumerate(judgement.fates, 1):
            if fate == _MOVED:
                refusals[number] = Moved(tuple(streams.get(number, ())), tuple(subjects.get(number, ())))
            elif fate == _REPLAYED:
                refusals[number] = Replayed(rows[earlier[number]])
            elif fate == _KEY_REUSED:
                refusals[number] = KeyReused()
        return refusals
