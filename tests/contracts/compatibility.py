"""What a change of schemas does to who consumes the events: nothing, or it breaks what they rely on.

A consumer written for the one schema reads data of the other. Ignored: a field that is new (consumers pass
over what they do not know), fewer values, and every description.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple

Schema = Mapping[str, Any]
Path = tuple[str, ...]

_FORMS = ("pattern", "format", "minItems", "prefixItems")


class Finding(NamedTuple):
    """One difference that a consumer may stumble over.

    `breaks`: what was promised holds no more. `widens`: a value comes that was none before; whoever takes the
    others for all there are is broken.
    """

    kind: Literal["breaks", "widens"]
    place: str  # `cart.item_added: unit_price.exact`
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.place}: {self.what}"


def differences(before: Mapping[str, Schema], now: Mapping[str, Schema]) -> list[Finding]:
    """Between the schemas of events by their stored names."""
    found = []
    for name, schema in before.items():
        if name in now:
            found += _Comparison(name, schema, now[name]).findings()
        else:
            found.append(Finding("breaks", name, "there is no such event any more"))
    return found


def lost_messages(before: Mapping[str, Collection[str]], now: Mapping[str, Collection[str]]) -> list[Finding]:
    """Between the messages of channels by their addresses: whoever listens there misses something."""
    found = []
    for address, messages in before.items():
        if address not in now:
            found.append(Finding("breaks", address, "there is no such channel any more"))
        else:
            gone = [name for name in messages if name not in now[address]]
            found += [Finding("breaks", address, f"{name} is not sent there any more") for name in gone]
    return found


class _Comparison:
    """Of one event's two schemas. A path leads to a value: fields, `[]` for each of a list, `{}` of a map."""

    def __init__(self, name: str, before: Schema, now: Schema) -> None:
        self._name, self._before, self._now = name, before, now
        self._entered: set[tuple[str, str]] = set()

    def findings(self) -> list[Finding]:
        return list(self._compare(self._before, self._now, ()))

    def _finding(self, kind: Literal["breaks", "widens"], path: Path, what: str) -> Finding:
        place = ".".join(path).replace(".[]", "[]").replace(".{}", "{}")
        return Finding(kind, f"{self._name}: {place}" if place else self._name, what)

    def _compare(self, before: Schema, now: Schema, path: Path) -> Iterator[Finding]:
        entered = (before.get("$ref", ""), now.get("$ref", ""))
        if all(entered):
            if entered in self._entered:
                return  # A shape within itself, or one that was compared at another place.
            self._entered.add(entered)
        before, now = _resolved(self._before, before), _resolved(self._now, now)
        if "anyOf" in before or "anyOf" in now:
            yield from self._alternatives(before, now, path)
        elif "enum" in before and "enum" in now:
            for value in now["enum"]:
                if value not in before["enum"]:
                    yield self._finding("widens", path, f"a new value {value!r}")
        elif _told(before) != _told(now):
            yield self._finding("breaks", path, f"was {_told(before)}, is {_told(now)}")
        elif any(before.get(form) != now.get(form) for form in _FORMS):
            yield self._finding("breaks", path, "has another form")
        else:
            yield from self._parts(before, now, path)

    def _alternatives(self, before: Schema, now: Schema, path: Path) -> Iterator[Finding]:
        """Each alternative that there is now is to be one of those that there were."""
        known = {_told(_resolved(self._before, one)): one for one in before.get("anyOf", [before])}
        for one in now.get("anyOf", [now]):
            told = _told(_resolved(self._now, one))
            if told in known:
                yield from self._compare(known[told], one, path)
            else:
                yield self._finding("breaks", path, f"may be {told}")

    def _parts(self, before: Schema, now: Schema, path: Path) -> Iterator[Finding]:
        fields_now, required_now = now.get("properties", {}), now.get("required", ())
        for field, schema in before.get("properties", {}).items():
            here = (*path, field)
            if field not in fields_now:
                yield self._finding("breaks", here, "is gone")
                continue
            if field in before.get("required", ()) and field not in required_now:
                yield self._finding("breaks", here, "was always there, and may be missing")
            yield from self._compare(schema, fields_now[field], here)
        for inner, mark in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(before.get(inner), Mapping) and isinstance(now.get(inner), Mapping):
                yield from self._compare(before[inner], now[inner], (*path, mark))


def _resolved(document: Schema, schema: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    resolved: Schema = document["$defs"][reference.removeprefix("#/$defs/")]
    return resolved


def _told(schema: Schema) -> str:
    """What kind of value it is, in words."""
    if "enum" in schema:
        return "one of a few values"
    if "anyOf" in schema:
        return " or ".join(_told(one) for one in schema["anyOf"])
    return str(schema.get("format", schema.get("type", "anything")))
