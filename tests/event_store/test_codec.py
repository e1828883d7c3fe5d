"""Every event type survives the log, and what is personal leaves it only with its key."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregates.catalog.events import ProductListed
from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType, Money, UnitPrice
from aggregates.orders.events import Address, OrderPlaced
from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.keys import (
    Sealed,
    new_subject_key,
    place_in_arguments,
    place_in_event,
    seal,
    unseal,
)
from event_store.records import NewEvent, RecordedEvent

CODEC = Codec(EVENT_TYPES)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = bytes(range(32))
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
    stored = CODEC.encode("stream-1", event, keys, version=1)
    assert (stored.stream, stored.type, stored.schema_number) == (
        "stream-1",
        event_type.name,
        event_type.schema_number,
    )
    assert CODEC.decode(recorded(stored), keys) == event
    assert CODEC.name_of(event_type.cls) == event_type.name


def test_personal_fields_are_not_in_the_stored_bytes() -> None:
    stored = CODEC.encode("order-o1", ORDER, {"order-o1": new_subject_key()}, version=1)
    for secret in (b"ann@example.org", b"York", b"1 Way"):
        assert secret not in stored.data


def test_without_the_key_personal_fields_are_none_and_the_rest_is_there() -> None:
    stored = recorded(CODEC.encode("order-o1", ORDER, {"order-o1": new_subject_key()}, version=1))
    bare = CODEC.decode(stored)
    assert (bare.email, bare.shipping_address) == (None, None)
    assert (bare.order_id, bare.total, bare.placed_on) == (ORDER.order_id, ORDER.total, ORDER.placed_on)


def test_public_json_has_null_for_what_is_personal() -> None:
    public = CODEC.decode_public_json(
        recorded(CODEC.encode("order-o1", ORDER, {"order-o1": new_subject_key()}, version=1))
    )
    assert (public["email"], public["shipping_address"]) == (None, None)
    assert public["total"] == {"amount": 0, "currency": "GBP"}


def test_personal_data_is_not_encoded_without_its_key() -> None:
    with pytest.raises(KeyError, match="order-o1"):
        CODEC.encode("order-o1", ORDER, {}, version=1)


def test_another_key_does_not_open_it() -> None:
    stored = recorded(CODEC.encode("order-o1", ORDER, {"order-o1": new_subject_key()}, version=1))
    with pytest.raises(DecodingFailed):
        CODEC.decode(stored, {"order-o1": new_subject_key()})


def test_what_was_sealed_for_one_subject_or_place_does_not_open_as_anothers() -> None:
    key, place = new_subject_key(), place_in_event("order-o1", 1, "email")
    sealed = seal(b"secret", subject="ann", key=key, place=place)
    assert unseal(sealed, key=key, place=place) == b"secret"
    others = (
        place_in_event("order-o2", 1, "email"),
        place_in_event("order-o1", 2, "email"),
        place_in_event("order-o1", 1, "name"),
        place_in_arguments(UUID(int=1), "email"),
    )
    for other in others:
        with pytest.raises(DecodingFailed):
            unseal(sealed, key=key, place=other)
    for change in ({"subject": "bob"}, {"sealed": "A" * 40}):
        with pytest.raises(DecodingFailed):
            unseal({**sealed, **change}, key=key, place=place)  # type: ignore[typeddict-item]


def test_what_is_bound_to_a_place_never_opens_as_what_was_not() -> None:
    key, place = new_subject_key(), place_in_event("order-o1", 1, "email")
    sealed = seal(b"secret", subject="ann", key=key, place=place)
    for subject in ("ann", "\0".join(("sealed 2", *place, "ann"))):
        with pytest.raises(DecodingFailed):
            unseal({"sealed": sealed["sealed"], "subject": subject}, key=key, place=place)


def sealed_before(plain: bytes, subject: str, key: bytes) -> Sealed:
    """As it was done before places were bound."""
    nonce = os.urandom(12)
    ciphertext = AESGCM(key).encrypt(nonce, plain, subject.encode())
    return {"sealed": base64.b64encode(nonce + ciphertext).decode(), "subject": subject}


def test_what_was_sealed_before_places_were_bound_opens_in_numbers_of_before_alone() -> None:
    key = new_subject_key()
    data = msgspec.to_builtins(replace(ORDER, email=None, shipping_address=None))
    data["email"] = sealed_before(b'"ann@example.org"', "17850", key)
    old, new = (
        recorded(NewEvent("order-o1", "orders.order_placed", number, msgspec.json.encode(data)))
        for number in (1, 2)
    )
    assert CODEC.decode(old, {"17850": key}).email == "ann@example.org"
    assert CODEC.subjects(old) == {"17850"}
    with pytest.raises(DecodingFailed, match="email is not sealed for its place"):
        CODEC.decode(new, {"17850": key})


def test_two_sealed_values_cannot_change_places() -> None:
    keys = {"order-o1": new_subject_key()}
    swapped = replace(ORDER, shipping_address=None)
    one, two = (CODEC.encode("order-o1", swapped, keys, version=version) for version in (1, 2))
    elsewhere = CODEC.encode("order-o2", swapped, keys, version=1)
    assert CODEC.decode(recorded(one), keys) == swapped
    for other in (two, elsewhere):
        email = msgspec.json.decode(other.data)["email"]
        data = msgspec.json.encode(msgspec.json.decode(one.data) | {"email": email})
        with pytest.raises(DecodingFailed, match="does not open"):
            CODEC.decode(recorded(NewEvent("order-o1", one.type, 2, data)), keys)


def test_only_personal_fields_are_ever_opened() -> None:
    """A product's attributes are a merchant's own words, whatever they look like."""
    attributes = {"sealed": "x", "subject": "y"}
    listed = ProductListed(
        sku="MUG",
        title="Mug",
        description="",
        category="Mugs",
        attributes=attributes,
        price=UnitPrice(Decimal("1.00"), "GBP"),
        seller="main",
    )
    stored = recorded(CODEC.encode("product-MUG", listed))
    for keys in ({}, {"y": new_subject_key()}):
        assert CODEC.decode(stored, keys) == listed
    assert CODEC.decode_public_json(stored)["attributes"] == attributes
    assert CODEC.subjects(stored) == frozenset()
    # In an event that has personal fields too, and in an old shape of one.
    who = UPCASTING.encode("s-1", Moved("here", "hand", who="Ann"), {"ann": KEY}, version=1)
    named = msgspec.json.decode(who.data) | {"notes": attributes}
    older = recorded(NewEvent("s-1", "things.moved", 2, msgspec.json.encode(named)))
    assert UPCASTING.decode(older, {"ann": KEY, "y": KEY}).notes == attributes


@pytest.mark.parametrize(
    "email", ["ann@example.org", {"sealed": "x"}, {"sealed": "x", "subject": "y", "form": 3}]
)
def test_what_is_personal_and_not_sealed_is_damage(email: Any) -> None:
    """Or whoever can write to the database could put words into an order's mouth."""
    data = msgspec.to_builtins(replace(ORDER, shipping_address=None)) | {"email": email}
    with pytest.raises(DecodingFailed, match="email is not sealed"):
        CODEC.decode(recorded(NewEvent("order-o1", "orders.order_placed", 2, msgspec.json.encode(data))))


def test_sealing_twice_gives_different_bytes() -> None:
    place = place_in_event("s-1", 1, "who")
    one, two = (seal(b"x", subject="ann", key=KEY, place=place) for _ in range(2))
    assert one["sealed"] != two["sealed"]


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
    notes: dict[str, str] = field(default_factory=dict)


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
    new = UPCASTING.encode("s-1", Moved("here", "hand", who="Ann"), {"ann": key}, version=1)
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
