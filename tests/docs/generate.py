"""Writes docs/events.md from the event types, docs/problems.md, and the contracts: `-m tests.docs.generate`.

Everything in it stands in the code already: stored names and numbers, docstrings, fields with their types,
and the comment beside a field. A test checks that the committed page is current.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, get_args, get_type_hints

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType, Money, UnitPrice
from replays.contracts.files import schema_file
from tests.contracts import asyncapi, event_schemas
from tests.docs import problems

PAGE = Path(__file__).parents[2] / "docs" / "events.md"

PLAIN = {
    "str": "text",
    "int": "whole number",
    "datetime": "time",
    "UnitPrice": "unit price",
    "Money": "money",
}
"""What a reader who is no programmer calls a type."""

INTRODUCTION = """\
# Events

Everything that can stand in the log, by stored name and schema number. Generated from the code by
`python -m tests.docs.generate`; a test checks that it is current.

Data is JSON. An optional field may be null or missing. Money is `{"amount": minor units, "currency"}`, a unit
price `{"exact": "12.99", "currency"}` in major units, a date `YYYY-MM-DD`, a time RFC 3339 in UTC. A
*personal* field is sealed under its subject's key in the log, and null for all but the auditor's replays.
What surrounds an event (position, stream, version, command, actor, recorded_at, valid_at) is not part of it.
"""


def events_page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    shapes: dict[str, type] = {}
    for context, group in groupby(EVENT_TYPES, key=lambda event_type: event_type.name.partition(".")[0]):
        of_context = list(group)
        parts.append(f"## {context}\n\n{_first_lines(inspect.getmodule(of_context[0].cls))}\n")
        for event_type in of_context:
            parts.append("\n".join(_event(event_type)) + "\n")
            _collect_shapes(event_type.cls, shapes)
    parts.append("## Shapes within events\n")
    parts += ["\n".join(_shape(shapes[name])) + "\n" for name in sorted(shapes)]
    return "\n".join(parts)


def _event(event_type: EventType) -> Iterator[str]:
    yield f"### {event_type.name}\n"
    file = schema_file(event_type.name, event_type.schema_number).relative_to(PAGE.parents[1])
    yield f"[Schema {event_type.schema_number}](../{file.as_posix()}). {_doc(event_type.cls)}\n"
    yield from _table(event_type.cls, event_type.personal)


def _shape(cls: type) -> Iterator[str]:
    yield f"### {cls.__name__}\n"
    yield f"{_doc(cls)}\n"
    yield from _table(cls, ())


def _table(cls: type, personal: tuple[str, ...]) -> Iterator[str]:
    hints, remarks = get_type_hints(cls), _remarks(cls)
    yield "| field | type | |"
    yield "| --- | --- | --- |"
    for field in fields(cls):
        optional = field.default is not MISSING or field.default_factory is not MISSING
        marks = ["*personal*"] if field.name in personal else []
        remark = remarks.get(field.name, "")
        marks += [remark] if remark and not (marks and remark == "personal") else []
        name = f"`{field.name}`" + ("?" if optional else "")
        yield f"| {name} | {_type_in_words(hints[field.name])} | {'; '.join(marks)} |"


def _remarks(cls: type) -> dict[str, str]:
    """The comment beside each field in the source."""
    found = re.findall(r"^    (\w+): [^#\n]*#\s*(.+)$", inspect.getsource(cls), flags=re.MULTILINE)
    return {name: remark.replace("|", "\\|") for name, remark in found}


def _type_in_words(hint: Any) -> str:
    arguments = [argument for argument in get_args(hint) if argument not in (type(None), Ellipsis)]
    origin = str(getattr(hint, "__origin__", ""))
    if "Literal" in origin:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if "tuple" in origin:
        listed = ", ".join(_type_in_words(argument) for argument in arguments)
        return f"list of {listed if len(arguments) == 1 else f'[{listed}]'}"
    if "dict" in origin:
        return "object of " + _type_in_words(arguments[-1])
    if arguments:  # A union: what is left beside None.
        return " \\| ".join(_type_in_words(argument) for argument in arguments)
    plain = {
        "str": "text",
        "int": "whole number",
        "datetime": "time",
        "UnitPrice": "unit price",
        "Money": "money",
    }
    name = str(getattr(hint, "__name__", hint))
    return plain.get(name, f"[{name}](#{name.lower()})" if is_dataclass(hint) else name)


def _collect_shapes(cls: type, shapes: dict[str, type]) -> None:
    """Takes in by name what the class is made of, and what that is made of."""
    for hint in get_type_hints(cls).values():
        for part in _flat(hint):
            is_shape = is_dataclass(part) and isinstance(part, type) and part not in (Money, UnitPrice)
            if is_shape and part.__name__ not in shapes:
                shapes[part.__name__] = part
                _collect_shapes(part, shapes)


def _flat(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        yield from _flat(argument)


def _doc(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").split())


def _first_lines(module: Any) -> str:
    return " ".join((inspect.getdoc(module) or "").split())


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(events_page(), encoding="utf-8")
    problems.PAGE.write_text(problems.problems_page(), encoding="utf-8")
    event_schemas.write()
    asyncapi.write()
