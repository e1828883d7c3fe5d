"""The schemas of the last release, and what became of them since."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aggregates.event_types import EVENT_TYPES
from replays.contracts.files import schema_file
from tests.contracts.compatibility import Finding, differences

RELEASED = Path(__file__).with_name("released.json")
"""`{"version": of Daybook, "schemas": {stored name: the schema of the number that was written then}}`"""

FIRST_PROMISE = (1, 0, 0)
"""From this version on nothing may break a consumer."""

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def version() -> str:
    """Daybook's, as pyproject.toml has it."""
    number: str = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"]
    return number


def present_schemas() -> dict[str, Any]:
    """Of the number that each event is written in, by its stored name."""
    return {
        one.name: json.loads(schema_file(one.name, one.schema_number).read_text(encoding="utf-8"))
        for one in EVENT_TYPES
    }


def released() -> tuple[str, dict[str, Any]]:
    """The last release's version and schemas."""
    kept = json.loads(RELEASED.read_text(encoding="utf-8"))
    return kept["version"], kept["schemas"]


def keep_release() -> None:
    """Keeps the present schemas as those of a release."""
    kept = {"version": version(), "schemas": without_descriptions(present_schemas())}
    RELEASED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def without_descriptions(schema: Any) -> Any:
    """What is compared. A field may be called `description`, too: its schema is no text."""
    if isinstance(schema, dict):
        return {
            name: without_descriptions(part)
            for name, part in schema.items()
            if name != "description" or not isinstance(part, str)
        }
    return [without_descriptions(part) for part in schema] if isinstance(schema, list) else schema


def since_release() -> list[Finding]:
    """What changed since that a consumer may stumble over."""
    return differences(released()[1], present_schemas())


def refused(findings: Sequence[Finding], number: str) -> bool:
    """Whether this version may not have these differences."""
    is_promised = tuple(map(int, number.split("."))) >= FIRST_PROMISE
    return is_promised and any(one.kind == "breaks" for one in findings)
