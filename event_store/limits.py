"""Whether an entry can ever be appended: what is checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import get_args
from uuid import UUID

from event_store.errors import EntryTooLarge, InvalidEntry
from event_store.keys import KEY_BYTES
from event_store.records import Entry, NewEvent, Verdict

EVENT_DATA_BYTES_MAX = 1024 * 1024  # A real invoice of 1,100 lines takes 210 KB.
JOURNAL_BYTES_MAX = 1024 * 1024
ENTRY_BYTES_MAX = 64 * 1024 * 1024  # A batch is one message to the server, which takes 1 GB at most.
PAGE_MAX = 10_000  # events that are read at once
STREAMS_MAX = 10_000  # read by one command; a cart of 999 lines checks 2,000 of them out
STREAM_CHARACTERS_MAX = 255
TEXT_CHARACTERS_MAX = 1000
KEY_BYTES_MAX = 255  # Longer ones do not fit into an index, and would fail the batch.

_VERDICTS = frozenset(get_args(Verdict))
_VERSION_END = 2**62
_NUMBER_END = 2**31
_TYPE = re.compile(r"[a-z_]+\.[a-z_]+")


def check_entries(entries: Sequence[Entry]) -> None:
    """InvalidEntry for the first that is out of form."""
    if len(entries) == 1:
        _check(entries[0], ())
        return
    before: dict[UUID, None] = {}
    for entry in entries:
        if entry.command_id in before:
            raise InvalidEntry(f"command {entry.command_id} is twice in one call")
        _check(entry, before)
        before[entry.command_id] = None


def check_entry(entry: Entry) -> None:
    """InvalidEntry where it could not be appended; EntryTooLarge where that is for its size.

    The commands it was decided on are taken to be before it in the call.
    """
    _check(entry, entry.decided_on)


def check_names(names: Iterable[str]) -> None:
    """InvalidEntry where one can be no stream's or subject's, and the log not be asked for it."""
    for name in names:
        if not 0 < len(name) <= STREAM_CHARACTERS_MAX or not is_storable(name):
            raise InvalidEntry(f"no name: {name[:300]!r}")


def check_page(*, after: int, limit: int) -> None:
    """ValueError for a page that no log reads."""
    if not 1 <= limit <= PAGE_MAX:
        raise ValueError(f"limit is 1 to {PAGE_MAX}")
    check_not_negative(after=after)


def check_not_negative(**numbers: int | None) -> None:
    """ValueError for a place or number of events below 0."""
    for name, number in numbers.items():
        if number is not None and number < 0:
            raise ValueError(f"{name} is 0 or more: {number}")


def _check(entry: Entry, before: Collection[UUID]) -> None:
    _check_row(entry)
    for event in entry.events:
        if event.stream not in entry.reads:
            raise InvalidEntry(f"{entry.name}: {event.stream} is written but not among what was read")
        _check_event(event)
    if entry.size_bytes > ENTRY_BYTES_MAX:
        raise EntryTooLarge(f"bytes of {entry.name}", entry.size_bytes, ENTRY_BYTES_MAX)
    if len(entry.reads) > STREAMS_MAX:
        raise EntryTooLarge(f"streams of {entry.name}", len(entry.reads), STREAMS_MAX)
    for stream, version in entry.reads.items():
        if not 0 < len(stream) <= STREAM_CHARACTERS_MAX or not 0 <= version < _VERSION_END:
            raise InvalidEntry(f"{entry.name}: no stream or version: {stream[:300]!r}, {version}")
    for mate in entry.decided_on:
        if mate not in before:
            raise InvalidEntry(f"{entry.name} was decided on {mate}, which is not before it in the call")
    if not entry.new_subject_keys.keys().isdisjoint(entry.subject_keys):
        raise InvalidEntry(f"{entry.name}: a subject's key is either new or was read")
    for subject, key in (*entry.new_subject_keys.items(), *entry.subject_keys.items()):
        if not 0 < len(subject) <= STREAM_CHARACTERS_MAX or len(key) != KEY_BYTES:
            raise InvalidEntry(f"{entry.name}: a subject has a name, and a key of {KEY_BYTES} bytes")
    _check_texts(entry)


def _check_row(entry: Entry) -> None:
    if entry.verdict not in _VERDICTS:
        raise InvalidEntry(f"{entry.name}: no verdict: {entry.verdict!r}")
    if entry.events and entry.verdict != "accepted":
        raise InvalidEntry(f"{entry.name} is {entry.verdict} and yet has events")
    if (entry.key is None) != (entry.request_hash is None):
        raise InvalidEntry(f"{entry.name}: a key and its request's hash go together")
    if entry.key is not None and not 0 < len(entry.key) <= KEY_BYTES_MAX:
        raise InvalidEntry(f"{entry.name}: a key has 1 to {KEY_BYTES_MAX} bytes")
    if (size_bytes := max(len(entry.arguments), len(entry.answer))) > JOURNAL_BYTES_MAX:
        raise EntryTooLarge(f"bytes of {entry.name}'s arguments or answer", size_bytes, JOURNAL_BYTES_MAX)
    if entry.valid_at is not None and entry.valid_at.tzinfo is None:
        raise InvalidEntry(f"{entry.name}: valid_at without a time zone")


def _check_event(event: NewEvent) -> None:
    _check_type(event.type)
    if len(event.data) > EVENT_DATA_BYTES_MAX:
        raise EntryTooLarge(f"bytes of {event.type}", len(event.data), EVENT_DATA_BYTES_MAX)
    if not 1 <= event.schema_number < _NUMBER_END:
        raise InvalidEntry(f"{event.type}: schema number {event.schema_number}")


@lru_cache(maxsize=4096)
def _check_type(name: str) -> None:
    if not _TYPE.fullmatch(name):
        raise InvalidEntry(f"a stored name has the form context.name: {name!r}")


def _check_texts(entry: Entry) -> None:
    """The database holds no NUL and nothing that is not Unicode."""
    _check_recurring(entry.name, entry.actor, entry.channel, entry.causation or "")
    correlation = entry.correlation or ""
    if len(correlation) > TEXT_CHARACTERS_MAX:
        raise InvalidEntry(f"{entry.name}: a text of more than {TEXT_CHARACTERS_MAX} characters")
    texts = (correlation, *entry.reads, *entry.new_subject_keys, *entry.subject_keys)
    if not is_storable("".join(texts)):
        raise InvalidEntry(f"{entry.name!r}: a text holds NUL or half a surrogate pair")


@lru_cache(maxsize=4096)
def _check_recurring(*texts: str) -> None:
    """What is much the same from one entry to the next."""
    if max(map(len, texts)) > TEXT_CHARACTERS_MAX:
        raise InvalidEntry(f"{texts[0][:100]}: a text of more than {TEXT_CHARACTERS_MAX} characters")
    if not is_storable("".join(texts)):
        raise InvalidEntry(f"{texts[0]!r}: a text holds NUL or half a surrogate pair")


def is_storable(text: str) -> bool:
    """Whether the database can hold it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or _is_unicode(text))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
