"""What was ever stored decodes for ever, and nobody changes an event's shape without saying so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType
from event_store.codec import Codec
from event_store.errors import UnknownEvent
from event_store.keys import is_sealed
from event_store.records import RecordedEvent
from tests.event_store.stored_events import KEY, Stored, add_missing, all_stored, faults, stored_event

CODEC = Codec(EVENT_TYPES)
BY_NAME = {event_type.name: event_type for event_type in EVENT_TYPES}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def recorded(stored: Stored, data: bytes) -> RecordedEvent:
    return RecordedEvent(
        position=1,
        stream="stream-1",
        version=1,
        type=stored.name,
        schema_number=stored.schema_number,
        data=data,
        command_id=UUID(int=1),
        correlation=None,
        causation=None,
        actor="anonymous:",
        recorded_at=NOON,
        valid_at=NOON,
    )


def test_event_types_and_their_kept_examples_agree() -> None:
    assert faults(EVENT_TYPES) == []


@pytest.mark.parametrize("stored", all_stored(), ids=lambda stored: f"{stored.name}.{stored.schema_number}")
def test_what_was_ever_stored_decodes(stored: Stored) -> None:
    event_type = BY_NAME[stored.name]
    assert len(stored.examples) == 2
    for data in stored.examples:
        event = CODEC.decode(recorded(stored, data), stored.keys)
        assert type(event) is event_type.cls
        public = CODEC.decode_public_json(recorded(stored, data))
        assert [public[field] for field in event_type.personal] == [None] * len(event_type.personal)
        if stored.schema_number == event_type.schema_number:
            # Nothing of what was stored is lost on the way in and out.
            subject = event_type.subject
            keys = {} if subject is None else {subject(event): KEY}
            assert opened(CODEC.encode("stream-1", event, keys, version=1).data) == opened(data)


def opened(data: bytes) -> dict[str, Any]:
    """Sealing is different each time: only that something is sealed can be compared."""
    return {
        field: "sealed" if is_sealed(value) else value
        for field, value in msgspec.json.decode(data, type=dict[str, Any]).items()
    }


@dataclass(frozen=True)
class Moved:
    """The first shape."""

    place: str


@dataclass(frozen=True)
class MovedBy:
    """The second."""

    place: str
    by: str


@dataclass(frozen=True)
class MovedOn:
    """The third."""

    places: tuple[str, ...]
    by: str


def to_two(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "by": "hand"}


def to_three(data: dict[str, Any]) -> dict[str, Any]:
    return {"places": [data.pop("place")], **data}


FIRST = EventType("things.moved", 1, Moved)
SECOND = EventType("things.moved", 2, MovedBy, upcasters=(to_two,))
THIRD = EventType("things.moved", 3, MovedOn, upcasters=(to_two, to_three))


def test_a_changed_class_is_refused_until_it_has_a_number_an_upcaster_and_an_example(tmp_path: Path) -> None:
    assert faults([FIRST], tmp_path) == ["things.moved: no example of number 1 is kept"]
    (first,) = add_missing([FIRST], tmp_path)
    assert faults([FIRST], tmp_path) == []
    kept = first.read_bytes()

    changed = replace(FIRST, cls=MovedBy)
    assert faults([changed], tmp_path) == [
        "things.moved: its shape has changed, so it needs number 2 and an upcaster"
    ]
    assert add_missing([changed], tmp_path) == []  # What was kept is not written anew to suit the change.
    with pytest.raises(ValueError, match=r"things\.moved has number 2"):
        Codec([replace(changed, schema_number=2)])
    assert faults([SECOND], tmp_path) == ["things.moved: no example of number 2 is kept"]
    assert [file.name for file in add_missing([SECOND], tmp_path)] == ["things.moved.2.json"]
    assert faults([SECOND], tmp_path) == []
    assert first.read_bytes() == kept


def test_every_number_that_was_kept_is_read_through_the_chain_of_upcasters(tmp_path: Path) -> None:
    for event_type in (FIRST, SECOND, THIRD):
        add_missing([event_type], tmp_path)
    codec = Codec([THIRD])
    came_back = [codec.decode(recorded(stored, stored.examples[0])) for stored in all_stored(tmp_path)]
    assert came_back == [
        MovedOn(("text",), "hand"),
        MovedOn(("text",), "text"),
        MovedOn(("text", "text"), "text"),
    ]


def test_a_name_or_number_that_was_given_is_never_taken_back(tmp_path: Path) -> None:
    add_missing([FIRST], tmp_path)
    add_missing([SECOND], tmp_path)
    assert (
        faults([], tmp_path) == ["things.moved: it may stand in a log, and no event type bears the name"] * 2
    )
    assert faults([FIRST], tmp_path) == ["things.moved: number 2 was given before; numbers never go back"]
    with pytest.raises(UnknownEvent):
        stored = stored_event("things.moved", 2, tmp_path)
        Codec([FIRST]).decode(recorded(stored, stored.examples[0]))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("a: str", "b: str"),
        ("a: str", "a: int"),
        ("a: str", "a: str | None"),
        ("a: str", "a: str = ''"),
        ("a: str", "a: str; b: int = 0"),
        ("a: str; b: int", "a: str"),
        ("a: tuple[str, ...]", "a: str"),
        ("a: Literal['x']", "a: Literal['x', 'y']"),
    ],
)
def test_every_kind_of_change_is_seen(tmp_path: Path, was: str, now: str) -> None:
    one, other = (_class(fields) for fields in (was, now))
    add_missing([EventType("things.moved", 1, one)], tmp_path)
    assert len(faults([EventType("things.moved", 1, other)], tmp_path)) == 1
    assert faults([EventType("things.moved", 1, _class(was, name="Renamed"))], tmp_path) == []


def test_what_becomes_personal_is_a_change(tmp_path: Path) -> None:
    add_missing([FIRST], tmp_path)
    personal = replace(FIRST, personal=("place",), subject=lambda _: "ann")
    assert len(faults([personal], tmp_path)) == 1


def _class(fields: str, name: str = "Moved") -> type:
    made: dict[str, Any] = {}
    body = "\n".join(f"    {field.strip()}" for field in fields.split(";"))
    text = (
        f"from dataclasses import dataclass\nfrom typing import Literal\n@dataclass\nclass {name}:\n{body}\n"
    )
    exec(compile(text, "<class>", "exec", dont_inherit=True), made)
    cls: type = made[name]
    return cls
