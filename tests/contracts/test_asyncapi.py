"""The AsyncAPI document is current, refers to what is there, and tells what is really sent.

That it is a valid document, its own parser says: `make proofs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from aggregates.event_types import EVENT_TYPES
from event_store.cloud_events import cloud_event
from event_store.kafka.topics import Topics
from event_store.memory.log import MemoryLog
from replays.contracts.files import ASYNCAPI
from tests.contracts.asyncapi import FEED, HEADERS, asyncapi_document
from tests.contracts.event_schemas import as_text
from tests.contracts.state_topics import DOCUMENTS
from tests.kafka.test_messages import record_of
from tests.shop.facts import CODEC
from tests.shop.story import Story


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ASYNCAPI.read_text(encoding="utf-8"))
    return answer


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_the_document_is_current() -> None:
    assert ASYNCAPI.read_text(encoding="utf-8") == as_text(asyncapi_document()), (
        "run: python -m tests.docs.generate"
    )


def test_every_reference_finds_something(document: dict[str, Any]) -> None:
    found = set(references(document))
    for reference in found:
        if reference.startswith("#/"):
            part = document
            for name in reference.removeprefix("#/").split("/"):
                part = part[name]
        else:
            assert (ASYNCAPI.parent / reference).is_file(), reference
    assert len([one for one in found if one.startswith("schemas/")]) == len(EVENT_TYPES)


def test_each_event_is_in_the_topic_of_its_context_and_in_that_of_all(document: dict[str, Any]) -> None:
    channels = document["channels"]
    for event_type in EVENT_TYPES:
        context = event_type.name.partition(".")[0]
        for channel in ("feed", "events", context):
            assert event_type.name in channels[channel]["messages"]
    assert channels["orders"]["address"] == "daybook.orders"


def test_each_topics_channel_is_the_topic_that_is_made(document: dict[str, Any]) -> None:
    topics = Topics("daybook.")
    channels = {one["address"]: one["bindings"].get("kafka", {}) for one in document["channels"].values()}
    for name, declared in topics.declared.events.items():
        assert channels[topics.prefix + name]["partitions"] == declared.partitions
    assert channels.keys() - {FEED} == {
        *topics.of_events,
        topics.state,
        *(topics.state_of(view, 7).replace("7", "{version}") for view in DOCUMENTS),
    }
    assert topics.declared.state.keys() == {"state", *(f"state.{view}" for view in DOCUMENTS)}


def test_a_records_headers_are_those_that_are_told() -> None:
    log = MemoryLog()
    Story(log).whole_story()
    schema = Draft202012Validator(asyncapi_document()["components"]["schemas"]["KafkaHeaders"]["schema"])
    for event in log.read_all(after=0, limit=1_000):
        headers = {name: value.decode() for name, value in record_of(event).headers}
        schema.validate(headers)
        assert headers.keys() == HEADERS.keys()
        assert not schema.is_valid({**headers, "ce_position": "first"})


def test_what_is_sent_is_what_its_message_says(document: dict[str, Any]) -> None:
    log = MemoryLog()
    Story(log).whole_story()
    registry: Registry[Any] = Registry(
        retrieve=lambda uri: Resource.from_contents(json.loads((ASYNCAPI.parent / uri).read_text("utf-8")))
    )
    messages = document["components"]["messages"]
    for recorded in log.read_all(after=0, limit=1_000):
        event = json.loads(msgspec.json.encode(cloud_event(CODEC, recorded)))
        payload = messages[f"{recorded.type}.structured"]["payload"]["schema"]
        whole = {**payload, "components": document["components"]}
        validator = Draft202012Validator(whole, registry=registry)
        validator.validate(event)
        assert not validator.is_valid(event | {"type": "things.moved"})
        assert not validator.is_valid(event | {"data": event["data"] | {"unheard": "of"}})
        assert not validator.is_valid(event | {"time": "yesterday"})
