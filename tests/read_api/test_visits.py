"""What a visit looked at last."""

from __future__ import annotations

import httpx

from aggregates.catalog.events import ProductDelisted
from tests.read_api.test_lists import skus
from tests.shop.facts import VISIT, listed, viewed
from tests.shop.views import ViewShop

RECENT = f"/api/v1/visits/{VISIT}/recent"


def test_a_visits_products_are_shown_as_pages_newest_first(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "PAN", "CUP")
    position = shop.happens(viewed("MUG", 1), viewed("PAN", 2), viewed("MUG", 3), viewed("CUP", 4))
    response = api.get(RECENT)
    assert skus(response.json()["items"]) == ["CUP", "MUG", "PAN"]
    assert response.json()["items"][1] == api.get("/api/v1/products/MUG").json()
    assert response.json()["next"] is None
    assert response.headers["Daybook-View-Position"] == str(position)


def test_what_was_delisted_is_left_out_until_it_is_listed_again(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "PAN")
    shop.happens(viewed("MUG", 1), viewed("PAN", 2), ProductDelisted(sku="MUG", reason="broken"))
    assert skus(api.get(RECENT).json()["items"]) == ["PAN"]
    shop.happens(listed("MUG"))
    assert skus(api.get(RECENT).json()["items"]) == ["PAN", "MUG"]


def test_the_last_twenty_are_shown(shop: ViewShop, api: httpx.Client) -> None:
    names = [f"MUG-{n:02}" for n in range(25)]
    shop.lists(*names)
    shop.happens(*(viewed(sku, n) for n, sku in enumerate(names, start=1)))
    assert skus(api.get(RECENT).json()["items"]) == names[:4:-1]


def test_a_visit_that_looked_at_nothing_has_no_products(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    response = api.get(RECENT)
    assert (response.status_code, response.json()) == (200, {"items": [], "next": None})


def test_what_one_looked_at_is_for_nobody_elses_cache(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    shop.happens(viewed("MUG"))
    response = api.get(RECENT)
    assert response.headers["Cache-Control"] == "private, no-cache"
    unchanged = api.get(RECENT, headers={"If-None-Match": response.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_an_id_that_no_visit_has_finds_nothing(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    shop.happens(viewed("MUG"))
    for visit_id in ("v" * 5_000, "%F0%9F%98%80", "*", "::", "checkpoint", "{recent.v1.0}:checkpoint"):
        response = api.get(f"/api/v1/visits/{visit_id}/recent")
        assert (response.status_code, response.json()["items"]) == (200, []), visit_id
    assert api.get(f"{RECENT}?limit=5").json()["type"] == "/problems/unknown-parameter"
