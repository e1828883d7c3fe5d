"""Bad input: a problem with a stable type, and nothing appended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from event_store.memory.log import MemoryLog
from tests.shop.http import CHECKOUT, Shop, key, open_shop

PRODUCT = {
    "sku": "NEW",
    "title": "New",
    "category": "Kitchen",
    "price": {"amount": 100, "currency": "GBP"},
}


def refused(tmp_path: Path, request: Any, status: int, kind: str, **settings: Any) -> dict[str, Any]:
    """Runs `request(shop, cart_id)` on a shop with one product and expects this problem, and no event."""

    async def scenario() -> dict[str, Any]:
        async with open_shop(MemoryLog(), tmp_path, **settings) as shop:
            await shop.product("MUG", units=5)
            cart_id = await shop.cart(MUG=1)
            head = shop.log.head()
            answer = await request(shop, cart_id)
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            body: dict[str, Any] = answer.json()
            assert (answer.status_code, body["type"]) == (status, f"/problems/{kind}"), body
            assert body["status"] == status
            assert body["title"]
            assert shop.log.head() == head
            return body

    return asyncio.run(scenario())


BODIES: list[tuple[str, dict[str, Any], str]] = [
    ("/products", {**PRODUCT, "colour": "red"}, "body.colour"),
    ("/products", {**PRODUCT, "sku": "-x"}, "body.sku"),
    ("/products", {**PRODUCT, "price": {"amount": -1, "currency": "GBP"}}, "body.price.amount"),
    ("/products", {**PRODUCT, "price": {"amount": 1.5, "currency": "GBP"}}, "body.price.amount"),
    ("/products", {**PRODUCT, "price": {"amount": 100, "currency": "XXX"}}, "body.price.currency"),
    ("/products", {**PRODUCT, "price": {"amount": 10**15, "currency": "GBP"}}, "body.price.amount"),
    ("/products", {**PRODUCT, "category": "A >  > B"}, "body.category"),
    ("/carts", {"currency": "gbp"}, "body.currency"),
    ("/carts/{cart}/items", {"sku": "MUG", "quantity": 0}, "body.quantity"),
    ("/carts/{cart}/items", {"sku": "MUG", "quantity": -3}, "body.quantity"),
    ("/carts/{cart}/items", {"sku": "MUG", "quantity": "2"}, "body.quantity"),
    ("/carts/{cart}/items", {"sku": "MUG", "quantity": True}, "body.quantity"),
    ("/carts/{cart}/items", {"quantity": 1}, "body.sku"),
    ("/inventory/MUG/receipts", {"quantity": 10**9}, "body.quantity"),
    ("/inventory/MUG/adjustments", {"quantity": 0, "reason": "?"}, "body.quantity"),
    ("/carts/{cart}/checkout", {**CHECKOUT, "email": "nobody"}, "body.email"),
]


@pytest.mark.parametrize(("path", "body", "field"), BODIES)
def test_a_body_out_of_form_names_its_field(
    tmp_path: Path, path: str, body: dict[str, Any], field: str
) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        return await shop.client.post(f"/api/v1{path.replace('{cart}', cart_id)}", json=body, headers=key())

    problem = refused(tmp_path, request, 422, "invalid-request")
    assert field in {error["field"] for error in problem["errors"]}


def test_what_a_validator_of_ours_refuses_is_said_in_its_own_words(tmp_path: Path) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        return await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json={"country": "XX"})

    problem = refused(tmp_path, request, 422, "invalid-request")
    assert problem["detail"] == "body.country: is no ISO 3166-1 alpha-2 country code"


def test_a_body_that_is_no_json(tmp_path: Path) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        headers = {"Content-Type": "application/json"}
        return await shop.client.post("/api/v1/carts", content=b"{currency:", headers=headers)

    async def unannounced(shop: Shop, cart_id: str) -> Any:
        return await shop.client.post("/api/v1/carts", content=b'{"currency": "GBP"}')

    refused(tmp_path, request, 400, "malformed-json")
    refused(tmp_path, unannounced, 415, "unsupported-media-type")


def test_a_body_larger_than_any_command(tmp_path: Path) -> None:
    async def announced(shop: Shop, cart_id: str) -> Any:
        return await shop.client.post("/api/v1/carts", json={"currency": "G" * 1_000_000})

    async def streamed(shop: Shop, cart_id: str) -> Any:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b" " * 100_000

        return await shop.client.post("/api/v1/carts", content=chunks())

    refused(tmp_path, announced, 413, "body-too-large")
    refused(tmp_path, streamed, 413, "body-too-large")


def test_an_unknown_product(tmp_path: Path) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        return await shop.post(f"/carts/{cart_id}/items", {"sku": "NONE", "quantity": 1})

    assert refused(tmp_path, request, 404, "unknown-product")["sku"] == "NONE"


def test_stock_of_an_unknown_product(tmp_path: Path) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        return await shop.post("/inventory/NONE/receipts", {"quantity": 1}, **key())

    refused(tmp_path, request, 404, "unknown-product")


@pytest.mark.parametrize("path", ["receipts", "adjustments"])
def test_a_location_that_is_not_in_use(tmp_path: Path, path: str) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        body = {"quantity": 5, "reason": "found", "location": "north"}
        return await shop.client.post(f"/api/v1/inventory/MUG/{path}", json=body, headers=key())

    assert refused(tmp_path, request, 409, "location-not-in-use")["location"] == "north"


def test_an_unknown_cart_and_order(tmp_path: Path) -> None:
    async def cart(shop: Shop, cart_id: str) -> Any:
        return await shop.post("/carts/nowhere/items", {"sku": "MUG", "quantity": 1})

    async def order(shop: Shop, cart_id: str) -> Any:
        return await shop.post("/orders/nowhere/cancel")

    refused(tmp_path, cart, 404, "unknown-cart")
    refused(tmp_path, order, 404, "unknown-order")


def test_another_currency(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("EURO", currency="EUR")
            cart_id = await shop.cart()
            answer = await shop.post(f"/carts/{cart_id}/items", {"sku": "EURO", "quantity": 1})
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-currency")

    asyncio.run(scenario())


def test_more_units_than_a_line_may_hold(tmp_path: Path) -> None:
    async def request(shop: Shop, cart_id: str) -> Any:
        return await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 10})

    problem = refused(tmp_path, request, 409, "quantity-over-limit", line_quantity_max=10)
    assert (problem["asked"], problem["limit"]) == (11, 10)


def test_an_empty_cart_and_a_checked_out_one(tmp_path: Path) -> None:
    async def empty(shop: Shop, cart_id: str) -> Any:
        removed = await shop.client.delete(f"/api/v1/carts/{cart_id}/items/MUG")
        assert removed.status_code == 200
        return await shop.checkout(cart_id)

    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=5)
            cart_id = await shop.cart(MUG=1)
            assert (await empty(shop, cart_id)).json()["type"] == "/problems/cart-empty"
            await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
            assert (await shop.checkout(cart_id)).status_code == 201
            head = shop.log.head()
            closed = await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
            assert closed.json()["type"] == "/problems/cart-closed"
            assert (await shop.checkout(cart_id)).json()["type"] == "/problems/cart-closed"
            assert shop.log.head() == head

    asyncio.run(scenario())


def test_keys_that_are_missing_or_short(tmp_path: Path) -> None:
    async def missing(shop: Shop, cart_id: str) -> Any:
        return await shop.post(f"/carts/{cart_id}/checkout", CHECKOUT)

    async def short(shop: Shop, cart_id: str) -> Any:
        return await shop.post(f"/carts/{cart_id}/checkout", CHECKOUT, Idempotency_Key="short")

    refused(tmp_path, missing, 400, "idempotency-key-required")
    refused(tmp_path, short, 400, "idempotency-key-unfit")


def test_operators_routes_need_the_token_where_one_is_set(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path, operator_token="secret") as shop:
            without = await shop.post("/products", PRODUCT)
            assert without.status_code == 401
            assert without.headers["www-authenticate"] == "Bearer"
            assert without.json()["type"] == "/problems/operator-token-required"
            wrong = await shop.post("/products", PRODUCT, Authorization="Bearer no")
            assert wrong.status_code == 401
            right = await shop.post("/products", PRODUCT, Authorization="Bearer secret")
            assert right.status_code == 201
            assert (await shop.post("/carts", {"currency": "GBP"})).status_code == 201

    asyncio.run(scenario())


def test_unknown_routes_and_methods(tmp_path: Path) -> None:
    async def nowhere(shop: Shop, cart_id: str) -> Any:
        return await shop.post("/nowhere")

    async def method(shop: Shop, cart_id: str) -> Any:
        return await shop.client.get(f"/api/v1/carts/{cart_id}/checkout")

    refused(tmp_path, nowhere, 404, "not-found")
    refused(tmp_path, method, 405, "method-not-allowed")
