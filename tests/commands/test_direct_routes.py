"""The routes before the framework respond as the framework's own do, which take the same in another form."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from event_store.memory.log import MemoryLog
from tests.shop.http import CHECKOUT, Shop, key, open_shop

DIRECT, FRAMEWORK = "application/json", "application/json; charset=utf-8"


async def _responses(shop: Shop, part: str, body: bytes, headers: dict[str, str]) -> list[tuple[Any, ...]]:
    """What both routes respond, each on a cart of its own, but for ids, secrets and positions."""
    found = []
    for media_type in (DIRECT, FRAMEWORK):
        cart = await shop.cart(MUG=1)
        named = {"Content-Type": media_type, **key(), **headers}
        response = await shop.client.post(f"/api/v1/carts/{cart}/{part}", content=body, headers=named)
        found.append((response.status_code, _comparable(response, cart), sorted(response.headers)))
    return found


def _comparable(response: httpx.Response, cart: str) -> str:
    shown: dict[str, Any] = response.json()
    shown |= dict.fromkeys({"id", "order_secret", "position"} & shown.keys())
    return json.dumps(shown).replace(cart, "CART")


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("part", "body", "headers"),
    [
        ("items", _json({"sku": "MUG", "quantity": 2}), {}),
        ("items", _json({"sku": "NONE"}), {}),
        ("items", _json({"sku": "MUG", "quantity": "two", "more": 1}), {}),
        ("items", b"[]", {}),
        ("items", b"{", {}),
        ("checkout", _json(CHECKOUT), {}),
        ("checkout", _json(CHECKOUT), {"Prefer": "wait=10"}),
        ("checkout", _json(CHECKOUT), {"Idempotency-Key": "short"}),
        ("checkout", _json(CHECKOUT | {"email": "anna", "payment": {}}), {}),
        ("checkout", _json(CHECKOUT | {"shipping_address": {"name": "Anna"}}), {}),
        ("checkout", b'{"email": "a", "email": "b"}', {}),
        ("checkout", b"null", {}),
    ],
)
def test_both_routes_respond_the_same(
    tmp_path: Path, part: str, body: bytes, headers: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=5)
            direct, framework = await _responses(shop, part, body, headers)
            assert direct == framework

    asyncio.run(scenario())
