"""The schemas of the last release, and what became of them since."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aggregates.event_types import EVENT_TYPES
from replays.contracts.files import ASYNCAPI, schema_file
from tests.contracts.compatibility import Finding, differences, lost_messages

RELEASED = Path(__file__).with_name("released.json")
"""Daybook's `version`, `schemas` by stored name (of the numbers that were written then), and `channels`: the
names of the messages by address."""

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


def present_channels() -> dict[str, list[str]]:
    """The names of the messages that are sent at each address."""
    channels = json.loads(ASYNCAPI.read_text(encoding="utf-8"))["channels"]
    return {channel["address"]: sorted(channel["messages"]) for channel in channels.values()}


def released() -> dict[str, Any]:
    """What is kept of the last release."""
    kept: dict[str, Any] = json.loads(RELEASED.read_text(encoding="utf-8"))
    return kept


def keep_release() -> None:
    """Keeps what there is as a release's."""
    kept = {
        "version": version(),
        "channels": present_channels(),
        "schemas": without_descriptions(present_schemas()),
    }
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
    before = released()
    return [
        *differences(before["schemas"], present_schemas()),
        *lost_messages(before["channels"], present_channels()),
    ]


def refused(findings: Sequence[Finding], number: str) -> bool:
    """Whether this version may not have these differences."""
    is_promised = tuple(map(int, number.split("."))) >= FIRST_PROMISE
    return is_promised and any(one.kind == "breaks" for one in findings)
