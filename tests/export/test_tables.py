"""Every event that was ever stored becomes a row of its type's table: typed, whole, nothing personal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.records import RecordedEvent
from replays.export.shapes import ENVELOPE, MOMENT
from replays.export.tables import event_tables, tables_of
from tests.event_store.stored_events import all_stored

CODEC = Codec(EVENT_TYPES)
SHAPES = event_tables()
PERSONAL = {event_type.name: event_type.personal for event_type in EVENT_TYPES}
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def recorded(name: str, number: int, data: bytes, *, position: int = 5) -> RecordedEvent:
    return RecordedEvent(
        position=position,
        stream="thing-1",
        version=2,
        type=name,
        schema_number=number,
        data=data,
        command_id=UUID(int=7),
        correlation=None,
        causation="event:4",
        actor="operator:token",
        recorded_at=AT,
        valid_at=AT.replace(year=2025),
    )


def plain(value: Any) -> Any:
    """A value out of a table as msgspec gives the event's own."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict() if value and all(name.startswith("item") for name in value):
            return [plain(one) for one in value.values()]
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case list() if value and all(isinstance(one, tuple) for one in value):
            return {name: plain(one) for name, one in value}
        case list():
            return [plain(one) for one in value]
    return value


def wanted(value: Any) -> Any:
    """An event's own value, moments in one spelling, and nothing for maps without a name in them."""
    match value:
        case dict():
            return {name: wanted(one) for name, one in value.items()} or []
        case list() | tuple():
            return [wanted(one) for one in value]
    return value


@pytest.mark.parametrize("stored", all_stored(), ids=lambda one: f"{one.name}.{one.schema_number}")
def test_a_row_has_what_the_event_had_in_its_present_shape(stored: Any) -> None:
    for data in stored.examples:
        event = recorded(stored.name, stored.schema_number, data)

        row = SHAPES[stored.name].table([event]).to_pylist()[0]

        own = wanted(msgspec.to_builtins(CODEC.decode(event)))
        nothing = dict.fromkeys(PERSONAL[stored.name])
        got = {name: plain(row[name]) for name in own}
        if stored.name == "terms.promotion_defined":  # Conditions lie within conditions, as JSON.
            for condition in got["promotion"]["conditions"]:
                condition["any_of"] = [wanted(msgspec.json.decode(one)) for one in condition["any_of"]]
        assert got == own | nothing
        assert (row["position"], row["version"], row["type"]) == (5, 2, stored.name)
        assert (row["recorded_at"], row["valid_at"]) == (AT, AT.replace(year=2025))
        assert (row["command_id"], row["causation"]) == (UUID(int=7).hex, "event:4")


def test_no_column_of_an_event_bears_the_name_of_another() -> None:
    for shape in SHAPES.values():
        assert len(set(shape.schema.names)) == len(shape.schema.names), shape.name
        assert shape.schema.names[: len(ENVELOPE)] == [name for name, _ in ENVELOPE]


def test_columns_are_typed() -> None:
    order = SHAPES["orders.order_placed"].schema
    money = pa.struct([("amount", pa.int64()), ("currency", pa.string())])

    assert order.field("total").type == money
    assert order.field("placed_on").type == pa.date32()
    assert order.field("placed_at").type == MOMENT
    line = order.field("lines").type.value_type
    assert line.field("quantity").type == pa.int64()
    assert line.field("paid").type == money
    assert line.field("unit_price").type.field("exact").type == pa.string()


def test_several_events_are_rows_of_their_types_in_order() -> None:
    data = b'{"order_id":"o"}'
    events = [recorded("orders.order_numbered", 1, data, position=at) for at in (1, 2, 4)]
    note = recorded("orders.credit_note_numbered", 1, b'{"credit_note_id":"n"}', position=3)

    tables = tables_of([*events[:2], note, events[2]], SHAPES)

    assert tables["orders.order_numbered"]["position"].to_pylist() == [1, 2, 4]
    assert tables["orders.credit_note_numbered"]["position"].to_pylist() == [3]


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'{"order_id":7}', b'{"order":"o"}'],
    ids=["no JSON", "no object", "another type", "another field"],
)
def test_what_is_damaged_is_named_by_its_position(data: bytes) -> None:
    whole = recorded("orders.order_numbered", 1, b'{"order_id":"o"}', position=1)

    with pytest.raises(DecodingFailed, match=r"position 2, orders\.order_numbered"):
        tables_of([whole, recorded("orders.order_numbered", 1, data, position=2)], SHAPES)


def test_a_type_of_newer_code_is_named_by_its_position() -> None:
    with pytest.raises(UnknownEvent, match=r"position 5, cart\.eaten"):
        tables_of([recorded("cart.eaten", 1, b"{}")], SHAPES)
    with pytest.raises(UnknownEvent, match=r"position 5, orders\.order_numbered number 2"):
        tables_of([recorded("orders.order_numbered", 2, b"{}")], SHAPES)
