"""Personal data opens under its subject's key, as long as that key exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aggregates.event_types import EVENT_TYPES
from aggregates.orders.events import OrderPlaced
from event_store.codec import Codec
from event_store.errors import DecodingFailed
from event_store.records import EventReader, RecordedEvent
from replays.verification.findings import Report, at

PERSONAL_TYPES = {event_type.cls: event_type for event_type in EVENT_TYPES if event_type.personal}
FORMER_SUBJECTS: dict[type[Any], Callable[[Any], str]] = {
    OrderPlaced: lambda event: event.customer_id or f"guest-{event.order_id}"
}
"""Whose the values of former numbers are, which are not bound to their places."""


class PersonalCheck:
    """Opens what is sealed, a page at a time, so that its keys are asked for in one call."""

    def __init__(self, log: EventReader, codec: Codec, report: Report) -> None:
        self._log = log
        self._codec = codec
        self._report = report
        self._sealed: list[tuple[RecordedEvent, frozenset[str]]] = []

    def see(self, recorded: RecordedEvent, event: Any) -> None:
        """Notes an event of a type that holds personal data, if this one does."""
        if b'"sealed"' not in recorded.data or not (subjects := self._codec.subjects(recorded)):
            return
        event_type = PERSONAL_TYPES[type(event)]
        former = recorded.schema_number < event_type.bound_from
        subject_of = FORMER_SUBJECTS.get(type(event)) if former else event_type.subject
        assert subject_of is not None
        others = subjects - {subject_of(event)}
        if others:
            self._report(at(recorded, "decoding", f"sealed for another: {', '.join(sorted(others))}"))
        self._sealed.append((recorded, subjects))

    def check_page(self) -> None:
        """Opens what was noted since the last call."""
        sealed, self._sealed = self._sealed, []
        if not sealed:
            return
        # Who was erased has no key any more, and nobody opens what was theirs again.
        keys = self._log.subject_keys({subject for _, subjects in sealed for subject in subjects})
        for recorded, _ in sealed:
            try:
                self._codec.decode(recorded, keys)
            except DecodingFailed as error:
                self._report(at(recorded, "decoding", str(error)))
