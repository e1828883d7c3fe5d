"""Personal data opens under its subject's key, as long as that key exists."""

from __future__ import annotations

from typing import Any

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.errors import DecodingFailed
from event_store.records import EventReader, RecordedEvent
from replays.findings import Report, at

PERSONAL_TYPES = {event_type.cls: event_type for event_type in EVENT_TYPES if event_type.personal}


class PersonalCheck:
    """Opens what is sealed, a page at a time, so that its keys are asked for in one call."""

    def __init__(self, log: EventReader, codec: Codec, report: Report) -> None:
        self._log = log
        self._codec = codec
        self._report = report
        self._sealed: list[tuple[RecordedEvent, Any, str]] = []

    def see(self, recorded: RecordedEvent, event: Any) -> None:
        """Notes an event of a type that holds personal data, if this one does."""
        subject_of = PERSONAL_TYPES[type(event)].subject
        if subject_of is not None and b'"sealed"' in recorded.data:
            self._sealed.append((recorded, event, subject_of(event)))

    def check_page(self) -> None:
        """Opens what was noted since the last call."""
        sealed, self._sealed = self._sealed, []
        if not sealed:
            return
        keys = self._log.subject_keys({subject for _, _, subject in sealed})
        for recorded, without_keys, subject in sealed:
            if subject not in keys:
                continue  # Erased: the key is gone, and nobody opens it again.
            try:
                opened = self._codec.decode(recorded, keys)
            except DecodingFailed as error:
                self._report(at(recorded, "decoding", str(error)))
                continue
            if opened == without_keys:
                self._report(at(recorded, "decoding", f"nothing in it opens with the key of {subject}"))
