"""One document at a time: the stored bytes, their tag, and where the view stood."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis import Redis

from aggregates.catalog.events import ProductDelisted
from tests.shop.facts import added, opened, placed, received
from tests.shop.views import ViewShop


def test_a_product_page_is_the_stored_bytes(shop: ViewShop, api: httpx.Client, fresh_redis: str) -> None:
    shop.lists("MUG")
    with Redis.from_url(fresh_redis) as redis:
        stored = redis.get("{product.v1.0}:MUG")
    answer = api.get("/api/v1/products/MUG")
    assert (answer.status_code, answer.content) == (200, stored)
    assert answer.json()["price"] == {"amount": 1299, "currency": "GBP"}
    assert answer.json()["available"] == 5
    assert answer.headers["Daybook-View-Position"] == "2"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_delisted_product_keeps_its_page_for_those_who_bought_it(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    shop.happens(ProductDelisted(sku="MUG", reason="broken"))
    page = api.get("/api/v1/products/MUG").json()
    assert (page["status"], page["available"], page["on_hand"]) == ("delisted", 0, 5)


def test_stock_of_what_was_never_listed_is_no_product(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(received("RAW", 3))
    assert api.get("/api/v1/products/RAW").json()["type"] == "/problems/unknown-product"
    assert api.get("/api/v1/inventory/RAW").json()["available"] == 3


def test_a_cart_and_an_order_are_shown(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    cart = "c" * 32
    shop.happens(opened(cart), added("MUG", 2, cart), placed("o1", "MUG", 3))
    shown = api.get(f"/api/v1/carts/{cart}").json()
    assert (shown["status"], shown["version"]) == ("open", 2)
    assert shown["total"] == {"amount": 2598, "currency": "GBP"}
    order = api.get("/api/v1/orders/o1").json()
    assert (order["status"], order["total"]) == ("placed", {"amount": 3000, "currency": "GBP"})


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/api/v1/products/NONE", "unknown-product"),
        ("/api/v1/inventory/NONE", "unknown-sku"),
        ("/api/v1/carts/none", "unknown-cart"),
        ("/api/v1/orders/none", "unknown-order"),
        ("/api/v1/orders/none/explanation", "unknown-order"),
        ("/api/v1/products/checkpoint", "unknown-product"),
        ("/api/v1/carts/%00%ff", "unknown-cart"),
    ],
)
def test_what_is_not_there_is_named_by_its_problem(
    shop: ViewShop, api: httpx.Client, path: str, slug: str
) -> None:
    shop.lists("MUG")
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Daybook-View-Position"] == "2"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", 404)
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize(
    "path", ["/api/v1/products/MUG", "/api/v1/inventory/MUG", "/api/v1/products", "/api/v1/dashboards/sales"]
)
def test_who_has_the_answer_is_not_sent_it_again(shop: ViewShop, api: httpx.Client, path: str) -> None:
    shop.lists("MUG")
    first = api.get(path)
    tag = first.headers["ETag"]
    for known in (tag, f'W/{tag}, "other"', "*"):
        again = api.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["ETag"], again.headers["Daybook-View-Position"]) == (tag, "2")
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_another_state_has_another_tag(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    tag = api.get("/api/v1/products/MUG").headers["ETag"]
    shop.happens(received("MUG", 1))
    changed = api.get("/api/v1/products/MUG", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["available"]) == (200, 6)


def test_many_at_once_each_get_their_own(shop: ViewShop, api: httpx.Client) -> None:
    skus = [f"S{n}" for n in range(40)]
    shop.lists(*skus)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda sku: api.get(f"/api/v1/products/{sku}"), skus * 5))
    assert [answer.json()["sku"] for answer in answers] == skus * 5
