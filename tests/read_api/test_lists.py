"""Listings, search, bestsellers, a customer's orders and the sales dashboard."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from aggregates.catalog.events import ProductDelisted
from aggregates.kernel import Money
from aggregates.orders.events import CreditNoteIssued, LineQuantity, OrderCanceled
from tests.shop.facts import listed, placed, priced, received
from tests.shop.views import ViewShop

FIRST = date(2026, 1, 1)


def walk(api: httpx.Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """Every page of a list."""
    items: list[dict[str, Any]] = []
    while True:
        answer = api.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if answer.json()["next"] is None:
            return items
        parameters["cursor"] = answer.json()["next"]


def skus(items: list[dict[str, Any]]) -> list[str]:
    return [item["sku"] for item in items]


@pytest.fixture
def shelf(shop: ViewShop) -> list[str]:
    """25 mugs, five to a price."""
    names = [f"MUG-{n:02}" for n in range(25)]
    for n, sku in enumerate(names):
        shop.lists(sku, price=f"{n % 5}.00")
    return names


@pytest.mark.parametrize("sort", ["sku", "price_asc", "price_desc", "newest"])
def test_a_listing_is_paged_through_once(api: httpx.Client, shelf: list[str], sort: str) -> None:
    order = {
        "sku": shelf,
        "price_asc": sorted(shelf, key=lambda sku: int(sku[4:]) % 5),
        "price_desc": sorted(shelf, key=lambda sku: -(int(sku[4:]) % 5)),
        "newest": shelf[::-1],
    }
    assert skus(walk(api, "/api/v1/products", sort=sort, limit=4)) == order[sort]


def test_search_tells_hits_total_facets_and_the_next_page(
    shop: ViewShop, api: httpx.Client, shelf: list[str]
) -> None:
    shop.happens(listed("P", price="3.00", category="Kitchen > Plates"))
    mistyped = api.get("/api/v1/search?q=mgu-07 mug&limit=5").json()
    assert (mistyped["total"], skus(mistyped["items"]), mistyped["relaxed"]) == (1, ["MUG-07"], ["mgu"])
    assert mistyped["items"][0]["highlights"] == {
        "title": "<mark>Mug</mark> <mark>MUG</mark>-<mark>07</mark>"
    }
    slipped = api.get("/api/v1/search?q=kitchin").json()
    assert (slipped["total"], slipped["did_you_mean"], slipped["facets_cut"]) == (26, "kitchen", [])
    found = api.get(
        "/api/v1/search",
        params={"q": "mug", "category": "Kitchen", "price_min": 300, "in_stock": True, "limit": 3},
    ).json()
    assert (found["total"], len(found["items"])) == (10, 3)
    assert found["facets"]["in_stock"] == [{"value": "true", "count": 10}, {"value": "false", "count": 1}]
    assert {"value": "Kitchen > Mugs", "count": 10} in found["facets"]["category"]
    assert found["facets"]["attribute.color"] == [{"value": "red", "count": 10}]
    by_color = {"q": "mug", "attribute.color": "red", "attribute.size": "s"}
    assert api.get("/api/v1/search", params=by_color).json()["total"] == 0
    del by_color["attribute.size"]
    assert api.get("/api/v1/search", params=by_color).json()["total"] == 25
    assert api.get("/api/v1/search?attribute.=red").status_code == 400
    for count, status in ((20, 200), (21, 422), (1_000, 422)):
        assert (
            api.get("/api/v1/search", params={f"attribute.{n}": "x" for n in range(count)}).status_code
            == status
        )
    everything = walk(api, "/api/v1/search", q="mug", price_max=400, limit=7)
    assert sorted(skus(everything)) == sorted([*shelf, "P"])


def test_prices_are_compared_in_one_currency(shop: ViewShop, api: httpx.Client, shelf: list[str]) -> None:
    shop.happens(*(priced(sku, f"{100 - n}", "JPY") for n, sku in enumerate(shelf[:6])))
    for path in ("products?sort=price_asc", "search?q=mug&sort=price_desc", "search?price_min=0"):
        refused = api.get(f"/api/v1/{path}")
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/currency-required")
        assert refused.json()["currencies"] == ["GBP", "JPY"]
        assert api.get(f"/api/v1/{path}&currency=GBP").json()["total"] == 25
        assert api.get(f"/api/v1/{path}&currency=EUR").json()["total"] == 0
    in_yen = walk(api, "/api/v1/products", sort="price_asc", currency="JPY", limit=4)
    assert skus(in_yen) == shelf[5::-1]
    found = api.get("/api/v1/search?q=mug&currency=JPY&price_max=97").json()
    assert sorted(skus(found["items"])) == shelf[3:6]
    assert found["facets"]["currency"] == [{"value": "GBP", "count": 5}, {"value": "JPY", "count": 3}]


def test_suggestions_have_words_categories_and_products(
    shop: ViewShop, api: httpx.Client, shelf: list[str]
) -> None:
    shop.happens(listed("L", "Paper lantern", category="Garden > Lanterns"))
    response = api.get("/api/v1/suggest?q=lan")
    assert response.json() == {
        "items": [
            {"text": "lantern", "kind": "query"},
            {"text": "Garden > Lanterns", "kind": "category"},
            {"text": "Paper lantern", "kind": "product", "sku": "L"},
        ]
    }
    assert response.headers["Daybook-View-Position"] == str(shop.position)
    assert len(api.get("/api/v1/suggest?q=m&limit=3").json()["items"]) == 3


def test_a_cursor_belongs_to_its_query(api: httpx.Client, shelf: list[str]) -> None:
    cursor = api.get("/api/v1/products?limit=2").json()["next"]
    for path in (
        f"/api/v1/products?sort=price_asc&cursor={cursor}",
        f"/api/v1/products?category=Kitchen&cursor={cursor}",
        f"/api/v1/search?q=mug&cursor={cursor}",
        f"/api/v1/bestsellers?cursor={cursor}",
        f"/api/v1/products?cursor={cursor[:-3]}",
        "/api/v1/products?cursor=WzEsMiwzXQ",
        "/api/v1/products?cursor=%C3%A9%20",
    ):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-cursor"), path


def test_a_search_cursor_outlives_commits_but_not_its_generation(
    shop: ViewShop, api: httpx.Client, shelf: list[str]
) -> None:
    cursor = api.get("/api/v1/search?q=mug&limit=20").json()["next"]
    shop.lists("MUG-NEW")
    answer = api.get("/api/v1/search", params={"q": "mug", "limit": 20, "cursor": cursor})
    assert (len(answer.json()["items"]), answer.json()["next"]) == (5, None)
    for _ in range(70):
        shop.happens(received("MUG-00", 1))
        api.get("/api/v1/search?q=mug&limit=1")
    answer = api.get("/api/v1/search", params={"q": "mug", "limit": 20, "cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/cursor-expired")


def test_bestsellers_are_product_pages_by_units(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("A", "B", "C", "D")
    shop.happens(received("RAW", 9))
    shop.happens(
        placed("o1", "A", 2),
        placed("o2", "B", 7),
        placed("o3", "RAW", 5),
        placed("o4", "C", 3),
        placed("o5", "A", 2),
    )
    items = walk(api, "/api/v1/bestsellers", limit=2)
    assert [(item["sku"], item["units"]) for item in items] == [("B", 7), ("A", 4), ("C", 3)]
    assert items[0]["price"] == {"amount": 1299, "currency": "GBP"}


def test_what_is_delisted_is_for_sale_nowhere_until_it_is_listed_again(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.lists("A", "B", "C")
    shop.happens(placed("o1", "A", 9), placed("o2", "B", 7), placed("o3", "C", 3))
    lists = ("/api/v1/bestsellers", "/api/v1/products", "/api/v1/search?q=mug")

    def on_sale() -> list[list[str]]:
        return [sorted(skus(walk(api, path))) for path in lists]

    shop.happens(ProductDelisted(sku="A", reason="broken"))
    assert on_sale() == [["B", "C"]] * 3
    assert api.get("/api/v1/bestsellers?limit=1").json()["items"][0]["sku"] == "B", "pages are whole"
    assert api.get("/api/v1/products/A").json()["available"] == 0
    shop.happens(placed("o4", "A", 2), received("A", 4))
    assert on_sale() == [["B", "C"]] * 3
    shop.happens(listed("A"))
    assert on_sale() == [["A", "B", "C"]] * 3
    first = api.get("/api/v1/bestsellers").json()["items"][0]
    assert (first["sku"], first["units"], first["available"]) == ("A", 11, 9)


@pytest.mark.parametrize("behind", ["product", "bestsellers"])
def test_a_bestseller_is_listed_in_both_views(shop: ViewShop, api: httpx.Client, behind: str) -> None:
    shop.lists("A", "B")
    shop.happens(placed("o1", "A", 9), placed("o2", "B", 7))
    shop.happens(ProductDelisted(sku="A", reason="broken"), but_not_in=(behind,))
    assert skus(api.get("/api/v1/bestsellers").json()["items"]) == ["B"]


def test_a_customers_orders_come_newest_first(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    for n in range(7):
        shop.happens(placed(f"o{n}", "MUG", customer_id="anna"), placed(f"b{n}", "MUG", customer_id="boris"))
    items = walk(api, "/api/v1/customers/anna/orders", limit=3)
    assert [item["id"] for item in items] == [f"o{n}" for n in range(6, -1, -1)]
    assert walk(api, "/api/v1/customers/nobody/orders") == []


def test_the_sales_dashboard_has_a_row_per_day_and_currency(shop: ViewShop, api: httpx.Client) -> None:
    order = placed("o2", "MUG", 2)
    shop.happens(placed("o1", "MUG", 3), order, placed("o3", "MUG", 1, currency="EUR"))
    shop.happens(
        OrderCanceled(
            order_id="o2",
            cause="canceled",
            credited=Money(0, "GBP"),
            placed_on=order.placed_on,
            currency="GBP",
            total=order.total,
            lines=(LineQuantity(line_id="1", sku="MUG", quantity=2),),
        ),
        credit_note("n1", 450),
    )
    assert api.get("/api/v1/dashboards/sales").json() == {
        "days": [
            row("2026-03-01", "EUR", orders=1, units=1, gross=1_000, returns=0),
            row("2026-03-01", "GBP", orders=1, units=3, gross=3_000, returns=450),
        ]
    }


def test_the_dashboard_shows_the_last_thirty_days_with_data_or_the_days_asked_for(
    shop: ViewShop, api: httpx.Client
) -> None:
    days = [FIRST + timedelta(days=3 * n) for n in range(40)]
    shop.happens(*(placed(f"o{n}", "MUG", placed_on=day) for n, day in enumerate(days)))

    def shown(**parameters: str) -> list[str]:
        answer = api.get("/api/v1/dashboards/sales", params=parameters)
        return [each["date"] for each in answer.json()["days"]]

    texts = [day.isoformat() for day in days]
    assert shown() == texts[-30:]
    assert shown(**{"from": texts[2], "to": texts[4]}) == texts[2:5]
    assert shown(**{"from": texts[38]}) == texts[38:]
    assert shown(to=texts[1]) == texts[:2]
    assert shown(**{"from": texts[4], "to": texts[2]}) == []


def credit_note(number: str, amount: int) -> CreditNoteIssued:
    return CreditNoteIssued(
        credit_note_id=number,
        number=number,
        currency="GBP",
        amount=Money(amount, "GBP"),
        lines=(),
        charges=(),
        issued_on=date(2026, 3, 1),
    )


def row(day: str, currency: str, *, orders: int, units: int, gross: int, returns: int) -> dict[str, Any]:
    def money(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": currency}

    counts = {"date": day, "currency": currency, "orders": orders, "units": units}
    parts = dict.fromkeys(("discounts", "shipping", "tax"), money(0))
    return {
        **counts,
        **parts,
        "gross": money(gross),
        "returns": money(returns),
        "net": money(gross - returns),
    }
