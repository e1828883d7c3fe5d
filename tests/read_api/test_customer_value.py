"""A customer's value, over real stores."""

from __future__ import annotations

from datetime import date

import httpx

from tests.shop.facts import placed
from tests.shop.views import ViewShop


def test_a_customers_value_is_their_orders_and_sums(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(
        placed("o1", "MUG", 2, customer_id="anna"),
        placed("o2", "MUG", 1, customer_id="anna", placed_on=date(2026, 3, 9)),
        placed("o3", "MUG", 7, customer_id="boris"),
        placed("o4", "MUG", 5),
    )
    answer = api.get("/api/v1/customers/anna/value")
    assert answer.json() == {
        "customer_id": "anna",
        "orders": 2,
        "first_order_on": "2026-03-01",
        "last_order_on": "2026-03-09",
        "sums": [
            {
                "currency": "GBP",
                "orders": 2,
                "gross": {"amount": 3_000, "currency": "GBP"},
                "returns": {"amount": 0, "currency": "GBP"},
                "net": {"amount": 3_000, "currency": "GBP"},
            }
        ],
    }
    assert "private" in answer.headers["Cache-Control"]
    again = api.get("/api/v1/customers/anna/value", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_a_customer_without_orders_has_no_sums(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(placed("o1", "MUG"))
    for customer_id in ("nobody", "checkpoint", ":", "x" * 5_000, "%7Bsales.v1.0%7D:checkpoint"):
        answer = api.get(f"/api/v1/customers/{customer_id}/value")
        found = answer.json()
        assert answer.status_code == 200, answer.text
        assert (found["orders"], found["sums"], found["first_order_on"]) == (0, [], None)
