"""The dashboard of sales by hour, over real stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from projections.views import registry
from projections.views.time_zone import time_zone
from tests.shop.facts import placed
from tests.shop.views import ViewShop, all_views

ZONE = "Asia/Kathmandu"  # its hours begin at a quarter past those of UTC


@pytest.fixture
def shop(fresh_redis: str, tmp_path: Path) -> Iterator[ViewShop]:
    shop = all_views(fresh_redis, tmp_path / "index", registry.views(time_zone(ZONE)))
    yield shop
    shop.close()


def sold(order_id: str, text: str, units: int = 1, **facts: Any) -> Any:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return placed(order_id, "MUG", units, placed_on=moment.date(), placed_at=moment, **facts)


def hours(api: httpx.Client, **parameters: str) -> list[dict[str, Any]]:
    answer = api.get("/api/v1/dashboards/hours", params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hours"]
    return found


def test_a_row_per_hour_and_currency_that_has_sales(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(
        sold("o1", "2026-03-01T09:20", 2),
        sold("o2", "2026-03-01T10:10"),
        sold("o3", "2026-03-01T10:14:59.999999", currency="EUR"),
        sold("o4", "2026-03-01T10:15"),
    )

    def money(amount: int, currency: str = "GBP") -> dict[str, Any]:
        return {"amount": amount, "currency": currency}

    first, *rest = hours(api)
    assert first == {
        "starts_at": "2026-03-01T09:15:00Z",
        "local": "2026-03-01T15:00:00+05:45",
        "currency": "EUR",
        "orders": 1,
        "units": 1,
        "gross": money(1_000, "EUR"),
        "net": money(1_000, "EUR"),
        **dict.fromkeys(("returns", "discounts", "shipping", "tax"), money(0, "EUR")),
    }
    assert [(row["local"], row["currency"], row["units"], row["gross"]["amount"]) for row in rest] == [
        ("2026-03-01T15:00:00+05:45", "GBP", 3, 3_000),
        ("2026-03-01T16:00:00+05:45", "GBP", 1, 1_000),
    ]


def test_an_hour_that_two_utc_days_share_is_one_row(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(sold("o1", "2026-03-01T23:50"), sold("o2", "2026-03-02T00:10", 2))
    (row,) = hours(api)
    assert (row["starts_at"], row["local"]) == ("2026-03-01T23:15:00Z", "2026-03-02T05:00:00+05:45")
    assert (row["orders"], row["units"], row["net"]["amount"]) == (2, 3, 3_000)


def test_days_are_those_of_the_shops_zone_both_included(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(
        sold("o1", "2026-03-01T18:14"),  # 23:59 there
        sold("o2", "2026-03-01T18:15"),  # 00:00 there, on the 2nd
        sold("o3", "2026-03-02T18:14"),
        sold("o4", "2026-03-02T18:15"),
    )
    of_day = hours(api, **{"from": "2026-03-02", "to": "2026-03-02"})
    assert [row["local"] for row in of_day] == ["2026-03-02T00:00:00+05:45", "2026-03-02T23:00:00+05:45"]
    assert [row["local"][:10] for row in hours(api, **{"from": "2026-03-03"})] == ["2026-03-03"]
    assert [row["local"][:10] for row in hours(api, to="2026-03-01")] == ["2026-03-01"]
    assert hours(api, **{"from": "2026-03-03", "to": "2026-03-01"}) == []
    assert hours(api, **{"from": "9999-12-31"}) == hours(api, to="0001-01-01") == []


def test_without_dates_the_last_days_are_shown_each_with_all_its_hours(
    shop: ViewShop, api: httpx.Client
) -> None:
    start = datetime(2026, 3, 1, 0, 30)
    moments = [start + timedelta(hours=6 * n) for n in range(4 * 12)]
    shop.happens(*(sold(f"o{n}", moment.isoformat()) for n, moment in enumerate(moments)))
    by_day: dict[str, int] = {}
    for row in hours(api):
        by_day[row["local"][:10]] = by_day.get(row["local"][:10], 0) + row["orders"]
    newest = [(datetime(2026, 3, 13) - timedelta(days=n)).date().isoformat() for n in range(8)]
    assert list(by_day) == sorted(newest[:8])
    assert set(list(by_day.values())[:-1]) == {4}


@pytest.mark.parametrize(("first", "last"), [("2026-01-01", "2026-04-03"), ("0001-01-01", "9999-12-31")])
def test_more_days_than_one_answer_has_are_refused(
    shop: ViewShop, api: httpx.Client, first: str, last: str
) -> None:
    shop.happens(sold("o1", "2026-04-02T12:00"))
    assert len(hours(api, **{"from": "2026-01-01", "to": "2026-04-02"})) == 1
    answer = api.get("/api/v1/dashboards/hours", params={"from": first, "to": last})
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["days_max"]) == (400, "/problems/too-many-days", 92)
