"""Events into stored bytes and back: by stored name and schema number, never by class path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from event_store.errors import DecodingFailed, UnknownEvent
from event_store.keys import is_sealed, place_in_event, seal, unseal
from event_store.records import NewEvent, RecordedEvent

NO_KEYS: Mapping[str, bytes] = {}

# What bytes that somebody damaged make of reading them, our own upcasters included.
_DAMAGED = (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError)


class EventType(Protocol):
    """What the codec must know of a class of events."""

    @property
    def name(self) -> str:
        """The stored name."""

    @property
    def schema_number(self) -> int:
        """The number that is written; lower ones are upcast on reading."""

    @property
    def cls(self) -> type[Any]:
        """A dataclass that msgspec can encode."""

    @property
    def personal(self) -> tuple[str, ...]:
        """The fields that are sealed, in every number; each may be None. No other is ever opened."""

    @property
    def subject(self) -> Callable[[Any], str] | None:
        """Whose they are."""

    @property
    def upcasters(self) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        """From the JSON of number 1 to that of 2, and so on. Personal fields come opened, or None."""

    @property
    def bound_from(self) -> int:
        """The first number whose personal values are all sealed for their places."""


class Codec:
    """Knows every event type, how its old shapes become the present one, and what is personal in it."""

    def __init__(self, event_types: Iterable[EventType]) -> None:
        """ValueError for a name or class that is there twice, or a number without its upcaster."""
        known = tuple(event_types)
        for event_type in known:
            if len(event_type.upcasters) != event_type.schema_number - 1:
                raise ValueError(
                    f"{event_type.name} has number {event_type.schema_number} and"
                    f" {len(event_type.upcasters)} upcasters: every number before it needs one"
                )
        self._by_name = {event_type.name: event_type for event_type in known}
        self._by_class = {event_type.cls: event_type for event_type in known}
        if not len(known) == len(self._by_name) == len(self._by_class):
            raise ValueError("a stored name or a class is there twice")
        self._encoder = msgspec.json.Encoder()
        self._decoders = {
            name: msgspec.json.Decoder(event_type.cls) for name, event_type in self._by_name.items()
        }

    def name_of(self, event_class: type[Any]) -> str:
        """The stored name of a class of events."""
        return self._by_class[event_class].name

    def class_of(self, name: str) -> type[Any] | None:
        """The class of events of a stored name; None where this code has none."""
        event_type = self._by_name.get(name)
        return None if event_type is None else event_type.cls

    def subject_of(self, event: Any) -> str | None:
        """Whose personal data the event holds, so whose key it is sealed under; None where it holds none."""
        event_type = self._by_class[type(event)]
        if not event_type.personal or all(getattr(event, field) is None for field in event_type.personal):
            return None
        assert event_type.subject is not None, f"{event_type.name} has personal fields but no subject"
        return event_type.subject(event)

    def encode(
        self, stream: str, event: Any, keys: Mapping[str, bytes] = NO_KEYS, *, version: int = 0
    ) -> NewEvent:
        """The event as it is appended. KeyError when it holds personal data and `keys` not its subject.

        What is personal opens again only at this `version` of the stream.
        """
        event_type = self._by_class[type(event)]
        if event_type.personal:
            data = self._sealed(event_type, event, keys, stream, version)
        else:
            data = self._encoder.encode(event)
        return NewEvent(stream, event_type.name, event_type.schema_number, data)

    def decode(self, recorded: RecordedEvent, keys: Mapping[str, bytes] | None = None) -> Any:
        """The event. Personal fields whose key is not in `keys` are None.

        UnknownEvent for a name or number this code does not know, DecodingFailed for damaged bytes.
        """
        event_type = self._type_of(recorded)
        may_be_sealed = event_type.personal and b'"sealed"' in recorded.data
        try:
            if recorded.schema_number == event_type.schema_number and not may_be_sealed:
                event = self._decoders[recorded.type].decode(recorded.data)
                if not event_type.personal or self.subject_of(event) is None:
                    return event
            return msgspec.convert(self._present_json(event_type, recorded, keys or NO_KEYS), event_type.cls)
        except _DAMAGED as error:
            raise DecodingFailed(f"{_place(recorded)}: {error}") from error

    def subjects(self, recorded: RecordedEvent) -> frozenset[str]:
        """Whose keys would open what is personal in the event. UnknownEvent, DecodingFailed."""
        event_type = self._type_of(recorded)
        if not event_type.personal:
            return frozenset()
        try:
            data = msgspec.json.decode(recorded.data, type=dict[str, Any])
        except _DAMAGED as error:
            raise DecodingFailed(f"{_place(recorded)}: {error}") from error
        values = (data.get(field) for field in event_type.personal)
        return frozenset(value["subject"] for value in values if is_sealed(value))

    def decode_public_json(self, recorded: RecordedEvent) -> dict[str, Any]:
        """The event's JSON in its present shape, personal fields null."""
        event_type = self._type_of(recorded)
        try:
            data = self._present_json(event_type, recorded, NO_KEYS)
        except _DAMAGED as error:
            raise DecodingFailed(f"{_place(recorded)}: {error}") from error
        return data | dict.fromkeys(event_type.personal)

    def present_number(self, recorded: RecordedEvent) -> int:
        """The number of the shape that `decode_public_json` gives it. UnknownEvent."""
        return self._type_of(recorded).schema_number

    def encode_public(self, recorded: RecordedEvent) -> tuple[int, bytes]:
        """What `decode_public_json` gives, as UTF-8 JSON, and the number of its shape: the present one.

        What is personal in no shape goes as it is stored; whether it decodes is for the caller to know.
        """
        event_type = self._type_of(recorded)
        if not event_type.personal and recorded.schema_number == event_type.schema_number:
            return recorded.schema_number, recorded.data
        return event_type.schema_number, self._encoder.encode(self.decode_public_json(recorded))

    def _type_of(self, recorded: RecordedEvent) -> EventType:
        event_type = self._by_name.get(recorded.type)
        if event_type is None or not 1 <= recorded.schema_number <= event_type.schema_number:
            raise UnknownEvent(f"{_place(recorded)}: not known here")
        return event_type

    def _sealed(
        self, event_type: EventType, event: Any, keys: Mapping[str, bytes], stream: str, version: int
    ) -> bytes:
        subject = self.subject_of(event)
        if subject is None:
            return self._encoder.encode(event)
        if version < 1:
            raise ValueError(f"{event_type.name}: what is personal is sealed for a version")
        data = msgspec.to_builtins(event)
        for field in event_type.personal:
            if data[field] is not None:
                plain, place = self._encoder.encode(data[field]), place_in_event(stream, version, field)
                data[field] = seal(plain, subject=subject, key=keys[subject], place=place)
        return self._encoder.encode(data)

    def _present_json(
        self, event_type: EventType, recorded: RecordedEvent, keys: Mapping[str, bytes]
    ) -> dict[str, Any]:
        data = msgspec.json.decode(recorded.data, type=dict[str, Any])
        for field in event_type.personal:
            if data.get(field) is not None:
                data[field] = _opened(event_type, recorded, field, data[field], keys)
        for upcast in event_type.upcasters[recorded.schema_number - 1 :]:
            data = upcast(data)
        return data


def _opened(
    event_type: EventType, recorded: RecordedEvent, field: str, value: Any, keys: Mapping[str, bytes]
) -> Any:
    """A personal field's value, None without its key; refused where somebody put it there unsealed."""
    before = recorded.schema_number < event_type.bound_from
    if not is_sealed(value):
        if before:
            return value
        raise DecodingFailed(f"{_place(recorded)}: {field} is not sealed, and was when it was written")
    if "form" not in value and not before:
        raise DecodingFailed(f"{_place(recorded)}: {field} is not sealed for its place")
    key = keys.get(value["subject"])
    if key is None:
        return None
    place = place_in_event(recorded.stream, recorded.version, field)
    return msgspec.json.decode(unseal(value, key=key, place=place))


def _place(recorded: RecordedEvent) -> str:
    return f"position {recorded.position}, {recorded.type} number {recorded.schema_number}"
