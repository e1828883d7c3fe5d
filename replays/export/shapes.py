"""The columns that a type of events has in files: Arrow types, from the events' own classes.

| in the class | in the file |
| --- | --- |
| text, names out of a few | string |
| whole number, yes or no | int64, bool |
| exact decimal | string: it may have any length, and no float stands for it |
| day, moment | date32, timestamp in microseconds of UTC |
| money, unit price, other values with fields | struct |
| several of one kind | list |
| a few in order, as a tier of prices | struct of `item1`, `item2`… |
| by name | map |
| a value that holds values of its own kind | string: JSON |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import inspect

Prepare = Callable[[Any], Any]

MOMENT = pa.timestamp("us", "UTC")

ENVELOPE: tuple[tuple[str, pa.DataType], ...] = (
    ("position", pa.int64()),
    ("stream", pa.string()),
    ("version", pa.int64()),
    ("type", pa.string()),
    ("schema_number", pa.int32()),
    ("recorded_at", MOMENT),
    ("valid_at", MOMENT),
    ("command_id", pa.string()),
    ("correlation", pa.string()),
    ("causation", pa.string()),
    ("actor", pa.string()),
)
"""Of every event, before its own columns. `schema_number` is that of the file's columns: the present one."""

_PLAIN: dict[type, pa.DataType] = {
    inspect.StrType: pa.string(),
    inspect.IntType: pa.int64(),
    inspect.BoolType: pa.bool_(),
    inspect.DecimalType: pa.string(),
}


@dataclass(frozen=True)
class Column:
    """One field of an event.

    `type` is that of the file. `prepare` makes of a value from JSON what Arrow takes as that; None: it does
    as it is, or it is the text of a day or a moment (`is_parsed`), which Arrow parses.
    """

    name: str
    type: pa.DataType
    prepare: Prepare | None

    @property
    def is_parsed(self) -> bool:
        return bool(pa.types.is_temporal(self.type))

    @property
    def is_read_by_arrow(self) -> bool:
        """Whether it is a list whose JSON Arrow reads as it is."""
        return bool(pa.types.is_list(self.type)) and self.prepare is None and not _has_map(self.type)


def columns_of(cls: type) -> tuple[Column, ...]:
    """Of a class of events, in the order of its fields. TypeError for a type that no file has a place for."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.DataclassType)
    return tuple(_column(field.encode_name, field.type, (cls,)) for field in info.fields)


def _column(name: str, info: inspect.Type, within: tuple[type, ...]) -> Column:
    kept, prepare = _shape(info, within)
    return Column(name, kept, None if pa.types.is_temporal(kept) else prepare)


def _shape(  # noqa: PLR0911 - one for each kind of type
    info: inspect.Type, within: tuple[type, ...]
) -> tuple[pa.DataType, Prepare | None]:
    """The type in the file, and how values get there. `within`: the classes around it."""
    match info:
        case inspect.UnionType():
            (one,) = (part for part in info.types if not isinstance(part, inspect.NoneType))
            return _shape(one, within)
        case inspect.LiteralType() if all(isinstance(value, str) for value in info.values):
            return pa.string(), None
        case inspect.DateTimeType():
            return MOMENT, _if_there(datetime.fromisoformat)
        case inspect.DateType():
            return pa.date32(), _if_there(date.fromisoformat)
        case inspect.DataclassType() if info.cls in within:
            return pa.string(), _if_there(_as_json)
        case inspect.DataclassType():
            return _struct([(one.encode_name, one.type) for one in info.fields], (*within, info.cls))
        case inspect.TupleType():
            shapes = [_shape(one, within) for one in info.item_types]
            names = [f"item{number}" for number in range(1, len(shapes) + 1)]
            prepares = [prepare for _, prepare in shapes]
            return pa.struct(zip(names, [kept for kept, _ in shapes], strict=True)), _named(names, prepares)
        case inspect.VarTupleType() | inspect.ListType():
            kept, prepare = _shape(info.item_type, within)
            return pa.list_(kept), None if prepare is None else _each(prepare)
        case inspect.DictType():
            kept, prepare = _shape(info.value_type, within)
            return pa.map_(pa.string(), kept), None if prepare is None else _each_value(prepare)
    if type(info) not in _PLAIN:
        raise TypeError(f"{info} has no place in a file")
    return _PLAIN[type(info)], None


def _has_map(kind: pa.DataType) -> bool:
    return pa.types.is_map(kind) or any(_has_map(kind.field(at).type) for at in range(kind.num_fields))


def _struct(
    fields: list[tuple[str, inspect.Type]], within: tuple[type, ...]
) -> tuple[pa.DataType, Prepare | None]:
    shapes = {name: _shape(one, within) for name, one in fields}
    prepares = {name: prepare for name, (_, prepare) in shapes.items() if prepare is not None}
    kept = pa.struct([(name, kept) for name, (kept, _) in shapes.items()])
    return kept, _in_place(prepares) if prepares else None


def _if_there(prepare: Prepare) -> Prepare:
    return lambda value: None if value is None else prepare(value)


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _each(prepare: Prepare) -> Prepare:
    return _if_there(lambda values: [prepare(value) for value in values])


def _each_value(prepare: Prepare) -> Prepare:
    return _if_there(lambda values: {key: prepare(one) for key, one in values.items()})


def _named(names: list[str], prepares: list[Prepare | None]) -> Prepare:
    def named(values: Any) -> Any:
        parts = zip(names, prepares, values, strict=True)
        return {name: value if prepare is None else prepare(value) for name, prepare, value in parts}

    return _if_there(named)


def _in_place(prepares: dict[str, Prepare]) -> Prepare:
    return _if_there(
        lambda value: value | {name: prepare(value.get(name)) for name, prepare in prepares.items()}
    )
