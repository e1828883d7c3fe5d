"""From visits to orders, by day of the shop's clocks, over real stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from projections.views import registry
from projections.views.time_zone import time_zone
from tests.shop.facts import NOON, given_up, opened, placed, viewed
from tests.shop.views import ViewShop, all_views

PATH = "/api/v1/dashboards/conversion"


@pytest.fixture
def shop(fresh_redis: str, tmp_path: Path) -> Iterator[ViewShop]:
    """A shop far in the east: its day began in the evening before."""
    zone = time_zone("Pacific/Auckland")
    shop = all_views(fresh_redis, tmp_path / "index", registry.views(zone))
    yield shop
    shop.close()


def days(api: httpx.Client, **parameters: str) -> list[dict[str, Any]]:
    response = api.get(PATH, params=parameters)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["days"]
    return found


def test_a_row_per_day_with_what_began_and_was_bought(shop: ViewShop, api: httpx.Client) -> None:
    one = placed("o1", "MUG", cart_id="c", placed_at=NOON)
    position = shop.happens(viewed("A"), viewed("B", 2), viewed("A", visit_id="w" * 32), opened(), one)
    response = api.get(PATH)
    assert response.json() == {"days": [{"date": "2026-03-02", "visits": 2, "carts": 1, "orders": 1}]}
    assert response.headers["Daybook-View-Position"] == str(position)
    assert response.headers["Cache-Control"].startswith("private")
    shop.happens(given_up(one))
    assert days(api)[0]["orders"] == 0


def test_days_are_chosen_as_the_sales_are(shop: ViewShop, api: httpx.Client) -> None:
    first = datetime(2026, 1, 1, 6, tzinfo=UTC)
    one = placed("o", "MUG", cart_id="c")
    moments = [first + timedelta(days=3 * n) for n in range(40)]
    shop.happens(
        *(
            replace(one, order_id=f"o{n}", placed_on=moment.date(), placed_at=moment)
            for n, moment in enumerate(moments)
        )
    )
    texts = [moment.date().isoformat() for moment in moments]

    def shown(**parameters: str) -> list[str]:
        return [day["date"] for day in days(api, **parameters)]

    assert shown() == texts[-30:]
    assert shown(**{"from": texts[2], "to": texts[4]}) == texts[2:5]
    assert shown(**{"from": texts[38]}) == texts[38:]
    assert shown(to=texts[1]) == texts[:2]
    assert shown(**{"from": texts[4], "to": texts[2]}) == []
    assert shown(**{"from": "0001-01-01", "to": "9999-12-31"}) == texts
