"""What a product cost, as it is queried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from projections.documents.shapes import PricePoint, PriceSeries
from read_api.price_history import since_then
from tests.shop.facts import priced
from tests.shop.views import ViewShop

PATH = "/api/v1/products/MUG/price-history"


def test_the_history_of_a_list_is_shown_by_currency(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    position = shop.happens(priced("MUG", "11.00"))
    answer = api.get(PATH, headers={"Daybook-Min-Position": str(position)})
    assert answer.status_code == 200
    (series,) = answer.json()["series"]
    assert (series["list_id"], series["currency"]) == ("base", "GBP")
    assert [point["amount"] for point in series["points"]] == [1299, 1100]
    assert api.get(PATH, params={"list": "spring"}).json()["series"] == []
    (recent,) = api.get(PATH, params={"days": 30}).json()["series"]
    assert [point["amount"] for point in recent["points"]] == [1100]


def test_a_product_that_was_never_priced_is_unknown(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    answer = api.get("/api/v1/products/NONE/price-history")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-product")


@pytest.mark.parametrize("query", ["days=0", "days=x", "days=4000", "list=", "list=a%20b"])
def test_what_cannot_be_asked_is_named(shop: ViewShop, api: httpx.Client, query: str) -> None:
    shop.lists("MUG")
    answer = api.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.partition("=")[0])


def test_the_days_begin_with_the_price_that_held_then() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    points = [PricePoint(now - timedelta(days=days), days) for days in (90, 40, 20, 1)]
    series = PriceSeries("base", "GBP", points)
    for days, expected in ((100, [90, 40, 20, 1]), (40, [40, 20, 1]), (30, [40, 20, 1]), (0, [1])):
        found = since_then(series, now - timedelta(days=days))
        assert [point.amount for point in found.points] == expected
