"""Examples of every event as it was ever stored. `python -m tests.event_store.stored_events` adds new ones.

Each lies in `stored_events/<name>.<number>.json` with the shape its class had, and stays there: it must
decode for ever. An example is never written anew. Whoever changes an event's class gives it the next number
and an upcaster, and then adds the new number's example.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType
from event_store.codec import Codec

FOLDER = Path(__file__).with_name("stored_events")
KEY = bytes(range(32))

_PLAIN: Mapping[type, tuple[str, Any]] = {
    inspect.StrType: ("text", "text"),
    inspect.IntType: ("integer", 7),
    inspect.BoolType: ("boolean", True),
    inspect.DecimalType: ("decimal", Decimal("12.345")),
    inspect.DateType: ("date", date(2026, 1, 2)),
    inspect.DateTimeType: ("time", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
}


class Stored(NamedTuple):
    """One kept example file."""

    name: str
    schema_number: int
    shape: Any
    examples: tuple[bytes, ...]  # as they stood in the log
    keys: Mapping[str, bytes]  # of the subjects in them


def shape_of(event_type: EventType) -> Any:
    """What the stored JSON of a class looks like, whatever the class and its docstring are called."""
    fields = _shape(inspect.type_info(event_type.cls))
    personal = event_type.personal
    return {
        name: {"personal": shape} if name.removesuffix("?") in personal else shape
        for name, shape in fields.items()
    }


def stored_event(name: str, schema_number: int, folder: Path = FOLDER) -> Stored:
    """The example that is kept. FileNotFoundError where there is none."""
    return _read(_file(folder, name, schema_number))


def all_stored(folder: Path = FOLDER) -> list[Stored]:
    """Every example that is kept."""
    return [_read(file) for file in sorted(folder.glob("*.json"))]


def faults(event_types: Iterable[EventType], folder: Path = FOLDER) -> list[str]:
    """What is wrong between the event types and their kept examples."""
    found = []
    known = {event_type.name: event_type for event_type in event_types}
    for name, event_type in known.items():
        for number in range(1, event_type.schema_number + 1):
            if not _file(folder, name, number).exists():
                found.append(f"{name}: no example of number {number} is kept")
        number = event_type.schema_number
        if _file(folder, name, number).exists() and stored_event(name, number, folder).shape != shape_of(
            event_type
        ):
            found.append(f"{name}: its shape has changed, so it needs number {number + 1} and an upcaster")
    for stored in all_stored(folder):
        if stored.name not in known:
            found.append(f"{stored.name}: it may stand in a log, and no event type bears the name")
        elif stored.schema_number > known[stored.name].schema_number:
            found.append(
                f"{stored.name}: number {stored.schema_number} was given before; numbers never go back"
            )
    return found


def add_missing(event_types: Iterable[EventType], folder: Path = FOLDER) -> list[Path]:
    """Keeps an example of each present number that has none; what is there stays as it is."""
    known = tuple(event_types)
    codec = Codec(known)
    added = []
    for event_type in known:
        file = _file(folder, event_type.name, event_type.schema_number)
        if file.exists():
            continue
        events = [example(event_type.cls, full=full) for full in (True, False)]
        keys = {event_type.subject(event): KEY for event in events} if event_type.subject else {}
        content = {
            "name": event_type.name,
            "schema_number": event_type.schema_number,
            "shape": shape_of(event_type),
            "examples": [
                json.loads(codec.encode("stream-1", event, keys, version=1).data) for event in events
            ],
            "keys": {subject: base64.b64encode(key).decode() for subject, key in keys.items()},
        }
        folder.mkdir(exist_ok=True)
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        added.append(file)
    return added


def example(cls: type, *, full: bool) -> Any:
    """An event of the class, with every field, or with those that it must have."""
    return _example(inspect.type_info(cls), full=full)


def _file(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}.{number}.json"


def _read(file: Path) -> Stored:
    content = json.loads(file.read_text(encoding="utf-8"))
    return Stored(
        name=content["name"],
        schema_number=content["schema_number"],
        shape=content["shape"],
        examples=tuple(msgspec.json.encode(example) for example in content["examples"]),
        keys={subject: base64.b64decode(key) for subject, key in content["keys"].items()},
    )


def _shape(info: inspect.Type, around: tuple[type, ...] = ()) -> Any:
    """`around`: the classes that it is part of, the outermost first."""
    match info:
        case inspect.DataclassType():
            if info.cls in around:
                return f"the same as {len(around) - around.index(info.cls)} above"
            within = (*around, info.cls)
            return {
                field.encode_name if field.required else f"{field.encode_name}?": _shape(field.type, within)
                for field in info.fields
            }
        case inspect.VarTupleType():
            return [_shape(info.item_type, around)]
        case inspect.TupleType():
            return {"in order": [_shape(one, around) for one in info.item_types]}
        case inspect.DictType():
            return {"*": _shape(info.value_type, around)}
        case inspect.LiteralType():
            return " | ".join(map(str, info.values))
        case inspect.UnionType():
            return {"one of": [_shape(one, around) for one in info.types]}
        case inspect.NoneType():
            return "null"
    return _PLAIN[type(info)][0]


def _example(info: inspect.Type, *, full: bool, around: tuple[type, ...] = ()) -> Any:
    """`around`: the classes that it is part of. In itself a class has only what it must have."""
    match info:
        case inspect.DataclassType():
            full = full and info.cls not in around
            chosen = [field for field in info.fields if full or field.required]
            within = (*around, info.cls)
            return info.cls(
                **{field.name: _example(field.type, full=full, around=within) for field in chosen}
            )
        case inspect.VarTupleType():
            item = info.item_type
            return tuple(_example(item, full=each, around=around) for each in (True, False)) if full else ()
        case inspect.TupleType():
            return tuple(_example(one, full=full, around=around) for one in info.item_types)
        case inspect.DictType():
            return {"name": _example(info.value_type, full=full, around=around)} if full else {}
        case inspect.LiteralType():
            return info.values[0 if full else -1]
        case inspect.UnionType():
            some = (one for one in info.types if not isinstance(one, inspect.NoneType))
            return _example(next(some), full=full, around=around)
    return _PLAIN[type(info)][1]


if __name__ == "__main__":
    for path in add_missing(EVENT_TYPES):
        print("kept:", path.name)
    for fault in faults(EVENT_TYPES):
        print("fault:", fault)
