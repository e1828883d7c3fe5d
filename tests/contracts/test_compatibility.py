"""What a change of a schema does to consumers is told, and refused once nothing may break any more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replays.contracts.files import schema_file
from tests.contracts.compatibility import Finding, differences, lost_messages
from tests.contracts.releases import (
    present_schemas,
    refused,
    released,
    since_release,
    version,
    without_descriptions,
)

NAME = "things.moved"
TEXT, NUMBER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}


def moved(required: tuple[str, ...] = ("place",), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"place": TEXT, **fields}, "required": [*required]}


def told(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [str(one) for one in differences({NAME: before}, {NAME: now})]


@pytest.mark.parametrize(
    ("before", "now", "what"),
    [
        (moved(by=TEXT), moved(), "breaks things.moved: by: is gone"),
        (moved(by=TEXT), moved(whom=TEXT), "breaks things.moved: by: is gone"),
        (moved(by=TEXT), moved(by=NUMBER), "breaks things.moved: by: was string, is integer"),
        (moved(), moved(required=()), "breaks things.moved: place: was always there, and may be missing"),
        (moved(by=TEXT), moved(by={"anyOf": [TEXT, NULL]}), "breaks things.moved: by: may be null"),
        (
            moved(by={"enum": ["rail", "road"]}),
            moved(by={"enum": ["rail", "air"]}),
            "widens things.moved: by: a new value 'air'",
        ),
        (
            moved(by={"type": "array", "items": moved(by=TEXT)}),
            moved(by={"type": "array", "items": moved(by=NUMBER)}),
            "breaks things.moved: by[].by: was string, is integer",
        ),
        (
            moved(by={"type": "object", "additionalProperties": TEXT}),
            moved(by={"type": "object", "additionalProperties": NUMBER}),
            "breaks things.moved: by{}: was string, is integer",
        ),
        (
            moved(by=TEXT),
            moved(by={**TEXT, "pattern": "^[a-z]$"}),
            "breaks things.moved: by: has another form",
        ),
        (
            moved(by={**TEXT, "format": "date"}),
            moved(by={**TEXT, "format": "date-time"}),
            "breaks things.moved: by: was date, is date-time",
        ),
    ],
)
def test_what_breaks_a_consumer_is_told(before: dict[str, Any], now: dict[str, Any], what: str) -> None:
    assert told(before, now) == [what]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (moved(), moved(by=TEXT)),
        (moved(required=()), moved()),
        (moved(by={"enum": ["rail", "road"]}), moved(by={"enum": ["rail"]})),
        (moved(by={"anyOf": [TEXT, NULL]}), moved(by=TEXT)),
        (moved(by={"anyOf": [TEXT, NULL]}), moved(by={"anyOf": [NULL, {**TEXT, "description": "who"}]})),
    ],
)
def test_what_no_consumer_notices_is_not_told(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert told(before, now) == []


def test_an_event_that_is_gone_breaks_and_a_new_one_does_not() -> None:
    assert differences({}, {NAME: moved()}) == []
    assert differences({NAME: moved()}, {}) == [Finding("breaks", NAME, "there is no such event any more")]


def test_a_channel_that_is_gone_or_tells_less_breaks() -> None:
    before = {"daybook.cart": ["cart.item_added"], "daybook.visits": ["visits.product_viewed"]}
    now = {"daybook.cart": ["cart.item_removed"], "daybook.all": ["cart.item_added"]}
    assert [str(one) for one in lost_messages(before, now)] == [
        "breaks daybook.cart: cart.item_added is not sent there any more",
        "breaks daybook.visits: there is no such channel any more",
    ]
    assert lost_messages(now | before, {**now, **before, "daybook.new": ["a.b"]}) == []


def test_a_shape_within_itself_is_compared_once() -> None:
    def tree(leaf: dict[str, Any]) -> dict[str, Any]:
        node = {"anyOf": [{"$ref": "#/$defs/Node"}, NULL]}
        shape = {"type": "object", "properties": {"leaf": leaf, "within": node}}
        return {"type": "object", "properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": shape}}

    assert told(tree(TEXT), tree(TEXT)) == []
    assert told(tree(TEXT), tree(NUMBER)) == ["breaks things.moved: root.leaf: was string, is integer"]


def test_changes_that_there_were_are_told() -> None:
    def number(of: int) -> dict[str, Any]:
        return {"cart.item_added": json.loads(schema_file("cart.item_added", of).read_text(encoding="utf-8"))}

    assert [str(one) for one in differences(number(1), number(2))] == [
        "breaks cart.item_added: unit_price: is gone"
    ]


def test_descriptions_are_no_part_of_the_promise() -> None:
    described = moved(description={**TEXT, "description": "of the thing"})
    assert without_descriptions(described) == moved(description=TEXT)
    now = present_schemas()
    assert differences(now, without_descriptions(now)) == differences(without_descriptions(now), now) == []


def test_from_the_first_release_on_what_breaks_is_refused() -> None:
    breaks = [Finding("breaks", NAME, "is gone")]
    widens = [Finding("widens", NAME, "a new value")]
    assert [refused(breaks, number) for number in ("0.1.0", "0.9.12", "1.0.0", "2.1.0")] == [
        False,
        False,
        True,
        True,
    ]
    assert not refused(widens, "1.0.0")


def test_nothing_broke_since_the_release_that_may_not() -> None:
    assert len(released()["schemas"]) > 90
    assert len(released()["channels"]) > 10
    assert not refused(since_release(), version()), "run: python -m tests.contracts"
