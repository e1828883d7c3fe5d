"""What was bought together with a product."""

from __future__ import annotations

from typing import Any

import httpx

from aggregates.catalog.events import ProductDelisted
from tests.shop.facts import given_up, listed, placed_together, received
from tests.shop.views import ViewShop

PATH = "/api/v1/products/MUG/also-bought"


def shown(api: httpx.Client) -> list[tuple[str, int]]:
    items: list[dict[str, Any]] = api.get(PATH).json()["items"]
    return [(item["sku"], item["orders"]) for item in items]


def test_partners_are_shown_as_pages_best_first(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "PAN", "CUP")
    one = placed_together("o1", "MUG", "PAN", "CUP")
    position = shop.happens(one, placed_together("o2", "CUP", "MUG"))
    response = api.get(PATH)
    assert shown(api) == [("CUP", 2), ("PAN", 1)]
    assert response.json()["items"][0] == api.get("/api/v1/products/CUP").json() | {"orders": 2}
    assert response.json()["next"] is None
    assert response.headers["Daybook-View-Position"] == str(position)
    shop.happens(given_up(one))
    assert shown(api) == [("CUP", 1)]


def test_only_what_is_on_sale_is_shown(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "PAN", "CUP")
    shop.happens(placed_together("o1", "MUG", "PAN", "CUP", "RAW"), received("RAW", 9))
    shop.happens(ProductDelisted(sku="PAN", reason="broken"))
    assert shown(api) == [("CUP", 1)]
    shop.happens(listed("PAN"))
    assert shown(api) == [("CUP", 1), ("PAN", 1)]


def test_twenty_are_shown_however_many_of_the_best_are_off_sale(shop: ViewShop, api: httpx.Client) -> None:
    gone, there = [f"GONE-{n:02}" for n in range(45)], [f"CUP-{n:02}" for n in range(25)]
    shop.lists("MUG", *gone, *there)
    for n, sku in enumerate((*there, *gone, *gone)):
        shop.happens(placed_together(f"o{n}", "MUG", sku))
    shop.happens(*(ProductDelisted(sku=sku, reason="over") for sku in gone))
    assert shown(api) == [(sku, 1) for sku in there[:4:-1]]


def test_a_product_bought_alone_has_no_partners_and_one_delisted_has_its_own(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.lists("MUG", "CUP")
    assert api.get(PATH).json() == {"items": [], "next": None}
    shop.happens(placed_together("o1", "MUG", "CUP"), ProductDelisted(sku="MUG", reason="broken"))
    assert shown(api) == [("CUP", 1)]


def test_a_product_that_was_never_listed_is_unknown(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("CUP")
    shop.happens(placed_together("o1", "MUG", "CUP"), received("MUG", 1))
    response = api.get(PATH)
    assert (response.status_code, response.json()["type"]) == (404, "/problems/unknown-product")
    assert response.json()["sku"] == "MUG"


def test_a_sku_that_nothing_has_is_unknown(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    for sku in ("none", "M" * 5_000, "%F0%9F%98%80", "checkpoint", "::", "*"):
        response = api.get(f"/api/v1/products/{sku}/also-bought")
        assert (response.status_code, response.json()["type"]) == (404, "/problems/unknown-product"), sku
    assert api.get(f"{PATH}?limit=5").json()["type"] == "/problems/unknown-parameter"
