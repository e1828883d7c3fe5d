"""Every event fits the schema that its CloudEvent names, and a damaged one does not."""

from __future__ import annotations

import asyncio
import copy
import json
from functools import cache
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from aggregates.event_types import EVENT_TYPES
from deploy.sample.filling import fill_shop
from event_store.cloud_events import cloud_event
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from replays.contracts.files import FOLDER, schema_file
from tests.contracts.event_schemas import faults, older_schema
from tests.event_store.stored_events import Stored, all_stored
from tests.event_store.test_stored_events import recorded
from tests.shop.facts import CODEC, EMAIL, NOON
from tests.shop.log import Shop

NUMBERS = [(one.name, number) for one in EVENT_TYPES for number in range(1, one.schema_number + 1)]


@cache
def validator(name: str, number: int) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_file(name, number).read_text(encoding="utf-8")))


def public(event: RecordedEvent) -> dict[str, Any]:
    """The event as a consumer gets it."""
    answer: dict[str, Any] = json.loads(msgspec.json.encode(cloud_event(CODEC, event)))
    return answer


def check(event: dict[str, Any]) -> None:
    schema = validator(event["type"], event["schemanumber"])
    assert event["dataschema"] == schema.schema["$id"]
    schema.validate(event["data"])


def test_the_schemas_are_current() -> None:
    assert faults() == [], "run: python -m tests.docs.generate"


@pytest.mark.parametrize(("name", "number"), NUMBERS)
def test_each_schema_is_one(name: str, number: int) -> None:
    Draft202012Validator.check_schema(validator(name, number).schema)


def test_each_schema_has_a_name_of_its_own() -> None:
    ids = {json.loads(file.read_text(encoding="utf-8"))["$id"] for file in FOLDER.glob("*/*.json")}
    assert len(ids) == len(NUMBERS)


@pytest.mark.parametrize("stored", all_stored(), ids=lambda stored: f"{stored.name}.{stored.schema_number}")
def test_whatever_was_ever_stored_is_published_in_the_present_shape(stored: Stored) -> None:
    for data in stored.examples:
        check(public(recorded(stored, data.replace(b'"currency":"text"', b'"currency":"GBP"'))))


@pytest.mark.parametrize("stored", all_stored(), ids=lambda stored: f"{stored.name}.{stored.schema_number}")
def test_what_was_stored_fits_the_schema_of_its_own_number(stored: Stored) -> None:
    event_type = next(one for one in EVENT_TYPES if one.name == stored.name)
    for data in stored.examples:
        stored_data = json.loads(data.replace(b'"currency":"text"', b'"currency":"GBP"'))
        schema = validator(stored.name, stored.schema_number)
        personal = set(event_type.personal) & schema.schema["properties"].keys()
        schema.validate(stored_data | dict.fromkeys(personal))


def test_an_older_numbers_schema_is_what_its_kept_shape_says() -> None:
    price_changed = next(one for one in EVENT_TYPES if one.name == "catalog.price_changed")
    schema = older_schema(price_changed, 1)
    assert schema["required"] == list(schema["properties"]) == ["sku", "price"]
    assert schema["properties"]["price"] == {"$ref": "#/$defs/UnitPrice"}


def published_of(log: MemoryLog) -> list[dict[str, Any]]:
    return [public(one) for one in log.read_all(after=0, limit=10_000)]


@pytest.fixture(scope="module")
def published() -> list[dict[str, Any]]:
    """The events of a shop's life."""
    log = MemoryLog()
    shop = Shop(log)
    shop.bustle(120)
    shop.flush()
    return published_of(log)


def test_all_events_of_a_shops_life_fit_their_schemas(published: list[dict[str, Any]]) -> None:
    for event in published:
        check(event)
    assert len({event["type"] for event in published}) >= 15
    assert EMAIL not in json.dumps(published)


def test_all_events_of_the_sample_shop_fit_their_schemas() -> None:
    log = MemoryLog()
    asyncio.run(fill_shop(log, CODEC, today=NOON.date()))
    events = published_of(log)
    for event in events:
        check(event)
    assert len({event["type"] for event in events}) >= 15


DAMAGE: dict[str, Any] = {
    "a field is missing": lambda data: data.pop("total"),
    "a field that nobody knows": lambda data: data.update(colour="red"),
    "an amount that is no whole number": lambda data: data["total"].update(amount=12.5),
    "an amount as text": lambda data: data["total"].update(amount="1250"),
    "a currency that is none": lambda data: data["total"].update(currency="pound"),
    "an exact price as a float": lambda data: data["lines"][0]["unit_price"].update(exact=12.99),
    "an exact price that is none": lambda data: data["lines"][0]["unit_price"].update(exact="1,299"),
    "a date in another form": lambda data: data.update(placed_on="1.3.2026"),
    "a personal field that was not left out": lambda data: data.update(email=EMAIL),
    "lines that are none": lambda data: data.update(lines={"0": data["lines"][0]}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_event_does_not_fit(published: list[dict[str, Any]], damage: str) -> None:
    event = copy.deepcopy(next(one for one in published if one["type"] == "orders.order_placed"))
    check(event)
    DAMAGE[damage](event["data"])
    assert not validator(event["type"], event["schemanumber"]).is_valid(event["data"])


def test_a_time_without_its_clock_does_not_fit() -> None:
    schema = validator("inventory.stock_reserved", 1)
    reserved = {"sku": "A", "location": "main", "order_id": "o", "quantity": 1}
    schema.validate({**reserved, "expires_at": "2026-03-01T12:15:00.5Z"})
    for wrong in ("2026-03-01T12:15:00", "2026-03-01 12:15:00Z", "2026-03-01T12:15:00+01:00", 1772367300):
        assert not schema.is_valid({**reserved, "expires_at": wrong})
