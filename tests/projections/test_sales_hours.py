"""Orders and credit notes in; the hours of the shop's clocks out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from aggregates.kernel import Money
from aggregates.orders.events import CreditNoteIssued, OrderPlaced
from event_store.memory.log import MemoryLog
from projections.engine.follower import Decoded
from projections.views import sales, sales_hours
from projections.views.time_zone import DEFAULT, TimeZone, time_zone
from tests.projections.memory_views import MemoryView, built
from tests.shop.facts import given_up, placed, recorded
from tests.shop.log import Shop

LONDON = time_zone("Europe/London")
FIGURES = ("orders", "units", "gross", "returns", "net", "discounts", "shipping", "tax")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sold(order_id: str, moment: datetime, units: int = 1, **facts: Any) -> OrderPlaced:
    return placed(order_id, "MUG", units, placed_on=moment.date(), placed_at=moment, **facts)


def note(number: str, on: date, amount: int = 300) -> CreditNoteIssued:
    facts = {"credit_note_id": number, "number": number, "currency": "GBP", "lines": (), "charges": ()}
    return CreditNoteIssued(**facts, amount=Money(amount, "GBP"), issued_on=on)


def folded(*happened: Any, zone: TimeZone = LONDON) -> MemoryView:
    """Over a log of these events, or of pairs of an event and its valid time."""
    pairs = [one if isinstance(one, tuple) else (one, None) for one in happened]
    view = MemoryView(sales_hours.view(zone))
    for position, (event, valid_at) in enumerate(pairs, start=1):
        envelope = recorded(position, event)
        if valid_at is not None:
            envelope = msgspec.structs.replace(envelope, valid_at=valid_at)
        view.apply([Decoded(envelope, event)])
    return view


def rows(view: MemoryView) -> list[dict[str, Any]]:
    return [row for _, one in sorted(view.documents.items()) for row in msgspec.json.decode(one)["rows"]]


def orders_by_hour(view: MemoryView) -> dict[str, int]:
    return {row["local"]: row["orders"] for row in rows(view) if row["orders"]}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_has_the_hours_that_its_clocks_show(day: date, hours: int) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2)
    moments = [midnight + timedelta(minutes=20 * n) for n in range(3 * 28)]
    view = folded(*(sold(f"o{n}", moment) for n, moment in enumerate(moments)))
    of_day = {local: n for local, n in orders_by_hour(view).items() if local.startswith(day.isoformat())}
    assert len(of_day) == hours
    assert set(of_day.values()) == {3}


def test_the_hour_that_comes_twice_is_two_rows() -> None:
    view = folded(sold("o1", at("2026-10-25T00:30")), sold("o2", at("2026-10-25T01:30")))
    assert [(row["starts_at"], row["local"]) for row in rows(view)] == [
        ("2026-10-25T00:00:00Z", "2026-10-25T01:00:00+01:00"),
        ("2026-10-25T01:00:00Z", "2026-10-25T01:00:00+00:00"),
    ]


def test_a_canceled_order_is_taken_out_of_the_hour_in_which_it_was_placed() -> None:
    kept, other = sold("o1", at("2026-03-29T00:10"), 2), sold("o2", at("2026-03-29T00:50"), 5)
    late = at("2026-04-02T12:00")
    view = folded(kept, other, (given_up(other), late))
    (row,) = rows(view)
    assert (row["local"], row["orders"], row["units"], row["gross"]) == (
        "2026-03-29T00:00:00+00:00",
        1,
        2,
        2_000,
    )


def test_a_credit_note_counts_in_its_own_hour() -> None:
    view = folded(sold("o1", at("2026-03-29T00:10")), (note("n1", date(2026, 3, 29)), at("2026-03-29T10:20")))
    assert [(row["local"], row["gross"], row["returns"], row["net"]) for row in rows(view)] == [
        ("2026-03-29T00:00:00+00:00", 1_000, 0, 1_000),
        ("2026-03-29T11:00:00+01:00", 0, 300, -300),
    ]


def test_orders_whose_events_do_not_name_the_moment_count_at_their_valid_time_and_are_taken_back_there() -> (
    None
):
    old = placed("o1", "MUG", placed_on=date(2026, 3, 1))
    other = placed("o2", "MUG", placed_on=date(2026, 3, 1))
    moment = at("2026-03-01T17:45")
    view = folded((old, moment), (other, moment), (given_up(old), at("2026-03-05T09:00")))
    assert orders_by_hour(view) == {"2026-03-01T17:00:00+00:00": 1}
    assert len(rows(view)) == 1


def test_an_event_stays_on_the_day_that_it_names() -> None:
    just_after = at("2026-03-02T00:00:00.004")
    view = folded((note("n1", date(2026, 3, 1)), just_after), zone=DEFAULT)
    assert [row["local"] for row in rows(view)] == ["2026-03-01T23:00:00+00:00"]


def test_another_zone_is_another_read_model() -> None:
    models = [sales_hours.view(zone).model for zone in (DEFAULT, LONDON, time_zone("Europe/Paris"))]
    assert len(set(models)) == 3
    assert models[0] == sales_hours.MODEL


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Asia/Kathmandu", "America/St_Johns"])
def test_the_hours_of_a_day_add_up_to_the_day(zone: str) -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=60)
    by_hour = built(shop, sales_hours.view(time_zone(zone)))
    by_day = built(shop, sales.VIEW)
    assert by_hour.ranking == by_day.ranking
    for day, document in by_day.documents.items():
        sums: dict[str, Counter[str]] = {}
        for row in msgspec.json.decode(by_hour.documents[day])["rows"]:
            sums.setdefault(row["currency"], Counter()).update({name: row[name] for name in FIGURES})
        for row in msgspec.json.decode(document)["rows"]:
            assert {name: sums[row["currency"]][name] for name in FIGURES} == {
                name: row[name] for name in FIGURES
            }, day


def test_the_moment_of_the_sale_is_repeated_where_it_is_given_up() -> None:
    placing = replace(sold("o1", at("2026-03-29T00:10")), cart_id="c" * 40)
    assert (given_up(placing).placed_at, given_up(placing).cart_id) == (placing.placed_at, "c" * 40)
