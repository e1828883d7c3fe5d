"""JSON Schema (2020-12) of each event's data, by stored name and schema number, as consumers get it.

The present number's follows from the event's class. An older number's is kept as it was written while it was
the present one; where none was, it follows from the shape kept beside its stored example. Personal fields are
null. A number's shape never changes, so that nothing may stand in the data but what its schema names.
"""

from __future__ import annotations

import inspect as source
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import inspect

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType, Money, UnitPrice
from event_store.cloud_events import schema_id
from replays.contracts.files import FOLDER, schema_file
from tests.event_store.stored_events import stored_event

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
"""The dialect, as AsyncAPI names it."""

_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"

PLAIN: Mapping[str, Schema] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "decimal": {"type": "string", "format": "decimal", "pattern": _DECIMAL},
    "date": {"type": "string", "format": "date", "pattern": _DATE},
    "time": {"type": "string", "format": "date-time", "pattern": _TIME},
    "null": {"type": "null"},
}
"""By the words of kept shapes. A decimal is exact, of any length; a time is in UTC."""

_WORDS: Mapping[type, str] = {
    inspect.StrType: "text",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.DecimalType: "decimal",
    inspect.DateType: "date",
    inspect.DateTimeType: "time",
    inspect.NoneType: "null",
}

_CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}
_MONEY: Schema = {
    "description": "An amount in the currency's minor unit (pence, cents, yen): 1299 of GBP is £12.99.",
    "type": "object",
    "properties": {"amount": PLAIN["integer"], "currency": _CURRENCY},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
_UNIT_PRICE: Schema = {
    "description": "The price of one unit, exact and in major units, which may be finer than the minor unit.",
    "type": "object",
    "properties": {"exact": PLAIN["decimal"], "currency": _CURRENCY},
    "required": ["exact", "currency"],
    "additionalProperties": False,
}
_EXACT_FORMS: Mapping[type, Schema] = {Money: _MONEY, UnitPrice: _UNIT_PRICE}

_PERSONAL = {**PLAIN["null"], "description": "Personal: sealed in the log, and null for all consumers."}


def present_schema(event_type: EventType) -> Schema:
    """Of the number that is written now."""
    shapes: dict[str, Schema] = {}
    schema = _object(event_type.cls, shapes, personal=event_type.personal)
    return _document(event_type.name, event_type.schema_number, schema, shapes)


def older_schema(event_type: EventType, number: int) -> Schema:
    """Of a number from before any schema was kept. FileNotFoundError where no example of it is."""
    shapes: dict[str, Schema] = {}
    shape = stored_event(event_type.name, number).shape
    personal = {name: {"personal": "text"} for name in event_type.personal if name in _names(shape)}
    others = {name: part for name, part in shape.items() if name.removesuffix("?") not in personal}
    schema = _of_shape(others | personal, shapes)
    return _document(event_type.name, number, schema, shapes)


def meaning(cls: type) -> str:
    """What a class of events or shapes says of itself, on one line."""
    return " ".join((source.getdoc(cls) or "").split())


def written() -> Iterator[tuple[Path, str]]:
    """Each schema's file, and what should stand in it."""
    for event_type in EVENT_TYPES:
        for number in range(1, event_type.schema_number + 1):
            file = schema_file(event_type.name, number)
            if number == event_type.schema_number:
                yield file, as_text(present_schema(event_type))
            elif file.exists():
                yield file, file.read_text(encoding="utf-8")
            else:
                yield file, as_text(older_schema(event_type, number))


def write() -> None:
    """Writes every schema that is missing or not current, and deletes what is none."""
    wanted = dict(written())
    for file in FOLDER.glob("*/*.json"):
        if file not in wanted:
            file.unlink()
    for file, text in wanted.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def faults() -> list[str]:
    """What is wrong between the event types and the schemas that are kept; none where all is current."""
    wanted = dict(written())
    unlike = [file for file, text in wanted.items() if not file.exists() or file.read_text("utf-8") != text]
    foreign = [file for file in FOLDER.glob("*/*.json") if file not in wanted]
    return [str(file.relative_to(FOLDER)) for file in (*unlike, *foreign)]


def as_text(document: Any) -> str:
    """As documents are kept: the same for the same content, and readable."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _document(name: str, number: int, schema: Schema, shapes: dict[str, Schema]) -> Schema:
    document = {"$schema": DIALECT, "$id": schema_id(name, number), "title": f"{name} {number}", **schema}
    return document | ({"$defs": {name: shapes[name] for name in sorted(shapes)}} if shapes else {})


def _object(cls: type, shapes: dict[str, Schema], *, personal: tuple[str, ...] = ()) -> Schema:
    info, remarks = inspect.type_info(cls), _remarks(cls)
    assert isinstance(info, inspect.DataclassType)
    properties = {}
    for field in info.fields:
        schema = _PERSONAL if field.encode_name in personal else _of_type(field.type, shapes)
        remark = remarks.get(field.name)
        properties[field.encode_name] = (
            {**schema, "description": remark} if remark and field.encode_name not in personal else schema
        )
    return {
        "description": meaning(cls),
        "type": "object",
        "properties": properties,
        "required": [
            field.encode_name for field in info.fields if field.required or field.encode_name in personal
        ],
        "additionalProperties": False,
    }


def _remarks(cls: type) -> dict[str, str]:
    """The comment beside each field in the source."""
    return dict(re.findall(r"^    (\w+): [^#\n]*#\s*(.+)$", source.getsource(cls), flags=re.MULTILINE))


def _of_type(info: inspect.Type, shapes: dict[str, Schema]) -> Schema:
    match info:
        case inspect.DataclassType():
            return _named(info.cls, shapes)
        case inspect.VarTupleType():
            return {"type": "array", "items": _of_type(info.item_type, shapes)}
        case inspect.TupleType():
            return _in_order([_of_type(one, shapes) for one in info.item_types])
        case inspect.DictType():
            return {"type": "object", "additionalProperties": _of_type(info.value_type, shapes)}
        case inspect.LiteralType():
            return {"enum": list(info.values)}
        case inspect.UnionType():
            return {"anyOf": [_of_type(one, shapes) for one in info.types]}
    return PLAIN[_WORDS[type(info)]]


def _named(cls: type, shapes: dict[str, Schema]) -> Schema:
    """A reference to the class's shape, which is taken into `shapes`."""
    name = cls.__name__
    if name not in shapes:
        shapes[name] = {}  # So that a class within itself ends.
        shapes[name] = _EXACT_FORMS.get(cls) or _object(cls, shapes)
    return _reference(name)


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _in_order(schemas: list[Schema]) -> Schema:
    return {"type": "array", "prefixItems": schemas, "items": False, "minItems": len(schemas)}


def _names(shape: dict[str, Any]) -> set[str]:
    return {name.removesuffix("?") for name in shape}


def _of_shape(shape: Any, shapes: dict[str, Schema]) -> Schema:
    """The schema of a kept shape; see `tests.event_store.stored_events`."""
    match shape:
        case str() if shape in PLAIN:
            return PLAIN[shape]
        case str() if shape.startswith("the same as "):
            raise ValueError("a shape within itself: keep the schema that its class had")
        case str():
            return {"enum": shape.split(" | ")}
        case [item]:
            return {"type": "array", "items": _of_shape(item, shapes)}
        case {"in order": parts}:
            return _in_order([_of_shape(part, shapes) for part in parts])
        case {"*": value}:
            return {"type": "object", "additionalProperties": _of_shape(value, shapes)}
        case {"one of": parts}:
            return {"anyOf": [_of_shape(part, shapes) for part in parts]}
        case {"personal": _}:
            return _PERSONAL
        case {"amount": "integer", "currency": "text", **others} if not others:
            shapes["Money"] = _MONEY
            return _reference("Money")
        case {"exact": "decimal", "currency": "text", **others} if not others:
            shapes["UnitPrice"] = _UNIT_PRICE
            return _reference("UnitPrice")
    return {
        "type": "object",
        "properties": {name.removesuffix("?"): _of_shape(part, shapes) for name, part in shape.items()},
        "required": [name for name in shape if not name.endswith("?")],
        "additionalProperties": False,
    }
