"""The examples of the OpenAPI documents: recorded from a shop, and held against it again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from deploy.edge.openapi import Example, read_examples

_OWN = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"  # a moment
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32,}"  # an id, a digest, a secret
    r"|(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}"  # a gift card's code
    r"|\d{3}-\d{4}-\d{4}"  # an order's number
    r"|(?:pi|ch|re|req)_\w{8,}"  # the gateway's ids
    r"|whsec_[\w+/=]+"  # what signs webhooks
)
_COUNTED = {"position", "version", "milliseconds"}


@dataclass(frozen=True)
class Step:
    """One example's request, as it is sent; `<name>` in it stands for what an earlier response gave.

    `gives`: what its own response gives, by name the field.
    """

    route: str
    parameters: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    gives: dict[str, str] = field(default_factory=dict)


def stable(value: Any) -> Any:
    """The value without what is another at each run: ids, moments, positions."""
    if isinstance(value, Example):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return {name: "*" if name in _COUNTED else stable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [stable(one) for one in value]
    return _OWN.sub("*", value) if isinstance(value, str) else value


def replaced(value: Any, by: dict[str, str]) -> Any:
    """The value with each of these texts replaced."""
    text = json.dumps(value)
    for old, new in by.items():
        text = text.replace(old, new)
    return json.loads(text)


def write_down(examples: list[Example], file: Path) -> None:
    """Keeps these examples; one that differs in nothing but what is another at each run stays as it was."""
    before = {one.route: one for one in read_examples(file)} if file.exists() else {}

    def kept(one: Example) -> Example:
        old = before.get(one.route)
        return old if old is not None and stable(old) == stable(one) else one

    content = msgspec.json.format(msgspec.json.encode([kept(one) for one in examples]), indent=1)
    file.write_bytes(content + b"\n")
