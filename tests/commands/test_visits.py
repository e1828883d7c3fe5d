"""What shoppers look at, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from aggregates.visits.events import ProductViewed
from event_store.memory.log import MemoryLog
from tests.shop.http import Shop, key, open_shop

VISIT = str(uuid4())
TOKEN = "t" * 20
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


def in_a_shop(folder: Path, scenario: Callable[[Shop], Awaitable[None]], **settings: Any) -> None:
    """Mugs and pans are on sale, cups are not any more."""

    async def run() -> None:
        async with open_shop(MemoryLog(), folder, **settings) as shop:
            shop.client.headers.update(OPERATOR)
            for sku in ("MUG", "PAN", "CUP"):
                await shop.product(sku)
            assert (await shop.post("/products/CUP/delist", {"reason": "broken"})).status_code == 200
            del shop.client.headers["Authorization"]
            await scenario(shop)

    asyncio.run(run())


async def refused(shop: Shop, body: Any, visit_id: str = VISIT) -> tuple[int, str]:
    """The status and problem type of a view that is not counted: nothing was appended."""
    head = shop.log.head()
    response = await shop.post(f"/visits/{visit_id}/views", body)
    assert shop.log.head() == head
    return response.status_code, response.json()["type"].removeprefix("/problems/")


def test_a_view_is_answered_as_made_and_one_repeated_at_once_as_it_stands(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        path = f"/visits/{VISIT}/views"
        first = await shop.post(path, {"sku": "MUG"})
        assert (first.status_code, first.json()["id"], first.json()["version"]) == (201, VISIT, 1)
        again = await shop.post(path, {"sku": "MUG"})
        assert (again.status_code, again.json()) == (200, first.json())
        second = await shop.post(path, {"sku": "PAN", "customer_id": "17850"})
        assert (second.status_code, second.json()["version"]) == (201, 2)
        assert int(second.headers["Daybook-Position"]) == second.json()["position"] == shop.log.head()
        assert shop.events("visits.product_viewed") == [
            ProductViewed(visit_id=VISIT, sku="MUG", number=1),
            ProductViewed(visit_id=VISIT, sku="PAN", number=2, customer_id="17850"),
        ]

    in_a_shop(tmp_path, scenario)


def test_a_view_sent_twice_under_one_key_is_counted_once(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        path, under = f"/visits/{VISIT}/views", key()
        first = await shop.post(path, {"sku": "MUG"}, **under)
        await shop.post(path, {"sku": "PAN"})
        again = await shop.post(path, {"sku": "MUG"}, **under)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(shop.events("visits.product_viewed")) == 2

    in_a_shop(tmp_path, scenario)


def test_unknown_and_delisted_products_are_refused_as_carts_refuse_them(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await shop.cart()
        for sku, expected in (("NONE", (404, "unknown-product")), ("CUP", (409, "product-not-on-sale"))):
            assert await refused(shop, {"sku": sku}) == expected
            added = await shop.post(f"/carts/{cart_id}/items", {"sku": sku})
            assert added.status_code == expected[0]

    in_a_shop(tmp_path, scenario)


def test_a_visit_that_is_full_takes_no_more_views(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for sku in ("MUG", "PAN"):
            assert (await shop.post(f"/visits/{VISIT}/views", {"sku": sku})).status_code == 201
        assert await refused(shop, {"sku": "MUG"}) == (409, "visit-full")
        assert (await shop.post(f"/visits/{uuid4()}/views", {"sku": "MUG"})).status_code == 201

    in_a_shop(tmp_path, scenario, visit_views_max=2)


GUESSED = ["v" * 21, "v" * 65, "a.b" * 10, "%20" * 30, "%00" * 30, "ü" * 30, "'" * 30, "-- " * 10]


def test_an_id_that_could_be_guessed_or_is_none_is_refused(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for visit_id in GUESSED:
            assert await refused(shop, {"sku": "MUG"}, visit_id) == (422, "invalid-request"), visit_id
        for visit_id in ("v" * 22, uuid4().hex, str(uuid4()), "-" * 64):
            response = await shop.post(f"/visits/{visit_id}/views", {"sku": "MUG"})
            assert (response.status_code, response.json()["id"]) == (201, visit_id)

    in_a_shop(tmp_path, scenario)


NO_VIEWS: list[Any] = [
    *({}, [], "MUG"),
    *({"sku": sku} for sku in ("", "A B", "M" * 65, "MUG\n", 7, None, ["MUG"])),
    *({"sku": "MUG", "customer_id": customer_id} for customer_id in ("", "a b", "a\n", 7)),
    {"sku": "MUG", "number": 7},
]


def test_a_body_that_is_no_view_is_refused(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for body in NO_VIEWS:
            assert await refused(shop, body) == (422, "invalid-request"), body

    in_a_shop(tmp_path, scenario)


def test_where_a_token_is_set_only_the_operator_names_a_visits_customer(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        named = {"sku": "MUG", "customer_id": "17850"}
        assert await refused(shop, named) == (401, "operator-token-required")
        path = f"/visits/{VISIT}/views"
        assert (await shop.post(path, {"sku": "MUG"})).status_code == 201
        assert (await shop.post(path, named | {"sku": "PAN"}, **OPERATOR)).status_code == 201

    in_a_shop(tmp_path, scenario, operator_token=TOKEN)
