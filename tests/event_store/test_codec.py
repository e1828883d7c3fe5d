"""Every event type survives the log, and what is personal leaves it only with its key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType, Money
from aggregates.orders.events import Address, OrderPlaced
from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.keys import new_subject_key, seal, unseal
from event_store.records import NewEvent, RecordedEvent

CODEC = Codec(EVENT_TYPES)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# Half a surrogate pair is no text that JSON in UTF-8 could hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

st.register_type_strategy(str, TEXT)
st.register_type_strategy(int, st.integers(-(2**53), 2**53))
st.register_type_strategy(Decimal, st.decimals(-(10**9), 10**9, places=4))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))

ORDER = OrderPlaced(
    order_id="o1",
    number="1001",
    channel="web",
    currency="GBP",
    lines=(),
    charges=(),
    total=Money(0, "GBP"),
    rounding="line_half_even",
    placed_on=date(2026, 1, 1),
    email="ann@example.org",
    shipping_address=Address(name="Ann", line1="1 Way", city="York", postal_code="Y1", country="GB"),
)


def recorded(event: NewEvent) -> RecordedEvent:
    return RecordedEvent(
        position=1,
        stream=event.stream,
        version=1,
        type=event.type,
        schema_number=event.schema_number,
        data=event.data,
        command_id=uuid4(),
        correlation=None,
        causation=None,
        actor="anonymous:",
        recorded_at=NOON,
        valid_at=NOON,
    )


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.name)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_comes_back_as_it_went(event_type: EventType, data: st.DataObject) -> None:
    event = data.draw(st.from_type(event_type.cls))
    keys = {} if event_type.subject is None else {event_type.subject(event): new_subject_key()}
    stored = CODEC.encode("stream-1", event, keys)
    assert (stored.stream, stored.type, stored.schema_number) == (
        "stream-1",
        event_type.name,
        event_type.schema_number,
    )
    assert CODEC.decode(recorded(stored), keys) == event
    assert CODEC.name_of(event_type.cls) == event_type.name


def test_personal_fields_are_not_in_the_stored_bytes() -> None:
    stored = CODEC.encode("order-o1", ORDER, {"guest-o1": new_subject_key()})
    for secret in (b"ann@example.org", b"York", b"1 Way"):
        assert secret not in stored.data


def test_without_the_key_personal_fields_are_none_and_the_rest_is_there() -> None:
    stored = recorded(CODEC.encode("order-o1", ORDER, {"guest-o1": new_subject_key()}))
    bare = CODEC.decode(stored)
    assert (bare.email, bare.shipping_address) == (None, None)
    assert (bare.order_id, bare.total, bare.placed_on) == (ORDER.order_id, ORDER.total, ORDER.placed_on)


def test_public_json_has_null_for_what_is_personal() -> None:
    public = CODEC.decode_public_json(
        recorded(CODEC.encode("order-o1", ORDER, {"guest-o1": new_subject_key()}))
    )
    assert (public["email"], public["shipping_address"]) == (None, None)
    assert public["total"] == {"amount": 0, "currency": "GBP"}


def test_personal_data_is_not_encoded_without_its_key() -> None:
    with pytest.raises(KeyError, match="guest-o1"):
        CODEC.encode("order-o1", ORDER, {})


def test_another_key_does_not_open_it() -> None:
    stored = recorded(CODEC.encode("order-o1", ORDER, {"guest-o1": new_subject_key()}))
    with pytest.raises(DecodingFailed):
        CODEC.decode(stored, {"guest-o1": new_subject_key()})


def test_what_was_sealed_for_one_subject_does_not_open_as_anothers() -> None:
    key = new_subject_key()
    sealed = seal(b"secret", subject="ann", key=key)
    assert unseal(sealed, key=key) == b"secret"
    with pytest.raises(DecodingFailed):
        unseal({**sealed, "subject": "bob"}, key=key)
    with pytest.raises(DecodingFailed):
        unseal({**sealed, "sealed": "A" * 40}, key=key)


def test_sealing_twice_gives_different_bytes() -> None:
    key = new_subject_key()
    assert seal(b"x", subject="ann", key=key) != seal(b"x", subject="ann", key=key)


@pytest.mark.parametrize(("name", "number"), [("cart.unheard_of", 1), ("cart.item_added", 99)])
def test_an_unknown_name_or_number_is_not_skipped(name: str, number: int) -> None:
    stored = recorded(NewEvent("cart-1", name, number, b"{}"))
    with pytest.raises(UnknownEvent, match=name):
        CODEC.decode(stored)
    with pytest.raises(UnknownEvent, match=name):
        CODEC.decode_public_json(stored)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"line_id": 1}', b"\xff"])
@pytest.mark.parametrize("name", ["cart.item_added", "orders.order_placed"])
def test_bytes_that_do_not_fit_fail(name: str, data: bytes) -> None:
    with pytest.raises(DecodingFailed, match=f"position 1, {name}"):
        CODEC.decode(recorded(NewEvent("s-1", name, 1, data)))


@pytest.mark.parametrize(
    "email", [b'{"sealed": 1, "subject": "ann"}', b'{"sealed": "", "subject": []}', b"[" * 100_000]
)
def test_a_sealed_value_out_of_form_fails(email: bytes) -> None:
    with pytest.raises(DecodingFailed):
        CODEC.decode(
            recorded(NewEvent("s-1", "orders.order_placed", 1, b'{"email": %s}' % email)), {"ann": b"k" * 32}
        )


@dataclass(frozen=True)
class Moved:
    """The present shape, number 3, of an event that was renamed twice."""

    place: str
    by: str
    who: str | None = None


def _to_two(data: dict[str, Any]) -> dict[str, Any]:
    return {"place": data.pop("location"), **data}


def _to_three(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "by": "hand"}


MOVED = EventType(
    "things.moved", 3, Moved, personal=("who",), subject=lambda _: "ann", upcasters=(_to_two, _to_three)
)
UPCASTING = Codec([MOVED])


def test_old_shapes_are_upcast_step_by_step() -> None:
    oldest = recorded(NewEvent("s-1", "things.moved", 1, b'{"location": "here"}'))
    older = recorded(NewEvent("s-1", "things.moved", 2, b'{"place": "here"}'))
    assert UPCASTING.decode(oldest) == UPCASTING.decode(older) == Moved("here", "hand")
    assert UPCASTING.decode_public_json(oldest) == {"place": "here", "by": "hand", "who": None}


def test_an_old_shape_keeps_what_was_sealed_in_it() -> None:
    key = new_subject_key()
    new = UPCASTING.encode("s-1", Moved("here", "hand", who="Ann"), {"ann": key})
    old = NewEvent("s-1", "things.moved", 2, new.data)
    assert UPCASTING.decode(recorded(old), {"ann": key}) == Moved("here", "hand", who="Ann")


@pytest.mark.parametrize("upcasters", [(), (_to_two,), (_to_two, _to_three, _to_three)])
def test_every_number_before_the_present_one_needs_its_upcaster(upcasters: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"things\.moved has number 3"):
        Codec([replace(MOVED, upcasters=upcasters)])


def test_a_stored_name_and_a_class_are_there_once() -> None:
    for twice in (replace(MOVED, name="things.gone"), replace(MOVED, cls=Address)):
        with pytest.raises(ValueError, match="twice"):
            Codec([MOVED, twice])


@pytest.mark.parametrize("data", [b"{}", b'{"location": "here"', b"[]"])
def test_an_old_shape_that_was_damaged_fails_as_a_new_one_does(data: bytes) -> None:
    with pytest.raises(DecodingFailed, match=r"position 1, things\.moved number 1"):
        UPCASTING.decode(recorded(NewEvent("s-1", "things.moved", 1, data)))
