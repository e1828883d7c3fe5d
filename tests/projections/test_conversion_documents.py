"""Visits, carts and orders in; the days of the shop's clocks out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.engine.follower import Decoded
from projections.views import conversion
from projections.views.time_zone import DEFAULT, TimeZone, time_zone
from tests.projections.memory_views import MemoryView
from tests.shop.facts import NOON, given_up, opened, placed, recorded, viewed

LONDON = time_zone("Europe/London")
DAYS = ("visits", "carts", "orders")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sold(order_id: str, moment: datetime, cart_id: str | None = "c") -> Any:
    return placed(order_id, "MUG", placed_on=moment.date(), placed_at=moment, cart_id=cart_id)


def folded(*happened: tuple[datetime, Any], zone: TimeZone = DEFAULT) -> MemoryView:
    """Over a log of these events, each with its valid time."""
    view = MemoryView(conversion.view(zone))
    envelopes = [recorded(n, event) for n, (_, event) in enumerate(happened, start=1)]
    view.apply(
        [
            Decoded(msgspec.structs.replace(envelope, valid_at=moment), event)
            for envelope, (moment, event) in zip(envelopes, happened, strict=True)
        ]
    )
    return view


def days(view: MemoryView) -> dict[str, tuple[int, ...]]:
    """Visits, carts and orders by day."""
    documents = map(msgspec.json.decode, view.documents.values())
    return {one["date"]: tuple(one[name] for name in DAYS) for one in documents}


def test_a_visit_counts_once_on_the_day_of_its_first_view() -> None:
    late = at("2026-03-01T23:59:59.999999")
    views = [(late, viewed("A", 1)), (late + timedelta(hours=1), viewed("B", 2))]
    built = folded(*views, (late + timedelta(hours=2), viewed("A", 1, visit_id="w" * 32)))
    assert days(built) == {"2026-03-01": (1, 0, 0), "2026-03-02": (1, 0, 0)}
    assert built.ranking == {"2026-03-01": 20260301, "2026-03-02": 20260302}


def test_carts_taken_and_orders_placed_count_on_their_days() -> None:
    one = sold("o1", NOON)
    built = folded((NOON, opened()), (NOON, one), (NOON, sold("o2", NOON)))
    assert days(built) == {"2026-03-01": (0, 1, 2)}


def test_a_canceled_order_goes_from_the_day_on_which_it_was_placed() -> None:
    one = sold("o1", NOON)
    later = NOON + timedelta(days=3)
    assert days(folded((NOON, one), (later, given_up(one)))) == {"2026-03-01": (0, 0, 0)}


def test_an_order_that_came_of_no_cart_is_not_counted() -> None:
    one = sold("o1", NOON, cart_id=None)
    assert days(folded((NOON, one), (NOON, given_up(one)))) == {}


def test_an_order_of_which_only_the_day_is_known_counts_on_it_and_goes_from_it() -> None:
    one = placed("o1", "MUG", placed_on=NOON.date(), cart_id="c")
    late = at("2026-03-01T23:30")
    kathmandu = time_zone("Asia/Kathmandu")
    assert one.placed_at is None
    assert days(folded((late, one), zone=kathmandu)) == {"2026-03-01": (0, 0, 1)}
    assert days(folded((late, one), (late, given_up(one)), zone=kathmandu)) == {"2026-03-01": (0, 0, 0)}


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-28T23:59:59.999999", "2026-03-28"),
        ("2026-03-29T00:30", "2026-03-29"),
        ("2026-03-29T22:59:59", "2026-03-29"),  # a day of 23 hours
        ("2026-03-29T23:00", "2026-03-30"),
        ("2026-10-24T23:00", "2026-10-25"),
        ("2026-10-25T23:59:59", "2026-10-25"),  # a day of 25 hours
        ("2026-10-26T00:00", "2026-10-26"),
    ],
)
def test_days_are_those_of_the_shops_clocks(moment: str, day: str) -> None:
    then = at(moment)
    built = folded((then, viewed("A")), (then, opened()), (then, sold("o1", then)), zone=LONDON)
    assert days(built) == {day: (1, 1, 1)}


def test_another_time_zone_is_another_read_model() -> None:
    models = {conversion.view(zone).model for zone in (DEFAULT, LONDON, time_zone("Asia/Kathmandu"))}
    assert len(models) == 3
    assert conversion.view(DEFAULT).model == conversion.MODEL


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=30))
def test_the_days_orders_are_those_that_stand(made: list[tuple[int, bool]]) -> None:
    happened: list[tuple[datetime, Any]] = []
    for n, (hours, stands) in enumerate(made):
        moment = NOON + timedelta(hours=hours)
        one = sold(f"o{n}", moment)
        happened += [(moment, one)] if stands else [(moment, one), (moment, given_up(one))]
    found = days(folded(*happened, zone=LONDON))
    assert sum(orders for _, _, orders in found.values()) == sum(stands for _, stands in made)
    assert all(orders >= 0 for _, _, orders in found.values())
