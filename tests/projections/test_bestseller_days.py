"""Orders in; the units of each day out."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import msgspec

from event_store.memory.log import MemoryLog
from projections.engine.follower import Decoded
from projections.views import bestseller_days, sales
from tests.projections.memory_views import MemoryView, built
from tests.shop.facts import given_up, placed, placed_together, recorded
from tests.shop.log import Shop


def folded(*happened: Any) -> MemoryView:
    view = MemoryView(bestseller_days.VIEW)
    view.apply([Decoded(recorded(n, event), event) for n, event in enumerate(happened, start=1)])
    return view


def units(view: MemoryView) -> dict[str, dict[str, int]]:
    return {day: msgspec.json.decode(document)["units"] for day, document in view.documents.items()}


def test_units_by_day_of_placing_and_sku() -> None:
    view = folded(
        placed("o1", "MUG", 2),
        placed("o2", "MUG", 3),
        placed("o3", "CUP", 1, placed_on=date(2026, 3, 2)),
        placed_together("o4", "CUP", "CUP"),
    )
    assert units(view) == {"2026-03-01": {"MUG": 5, "CUP": 2}, "2026-03-02": {"CUP": 1}}


def test_a_canceled_order_is_taken_out_of_its_day_and_the_ranking_shows_that_the_day_changed() -> None:
    one = placed("o1", "MUG", 2)
    view = folded(one, placed("o2", "CUP"), placed("o3", "MUG", placed_on=date(2026, 3, 2)), given_up(one))
    assert units(view) == {"2026-03-01": {"CUP": 1}, "2026-03-02": {"MUG": 1}}
    assert view.ranking == {"2026-03-01": 4, "2026-03-02": 3}


def test_the_units_of_a_day_are_those_of_its_sales() -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=60)
    days = units(built(shop, bestseller_days.VIEW))
    sums = Counter({day: sum(of_day.values()) for day, of_day in days.items()})
    for day, document in built(shop, sales.VIEW).documents.items():
        assert sums[day] == sum(row["units"] for row in msgspec.json.decode(document)["rows"]), day
