"""The log took a command and its response was lost: the client's retry gets the first outcome."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter

import pytest

from tests.faults.conftest import Behind
from tests.faults.http_client import Answer
from tests.faults.shoppers import Bought, Client
from tests.shop.http import CHECKOUT

pytestmark = pytest.mark.slow


def test_the_retry_of_an_order_whose_acknowledgement_was_lost_gets_its_outcome(behind: Behind) -> None:
    shop = behind.shop
    (sku,) = shop.products(1, units=5)
    key = secrets.token_hex(16)

    async def buy() -> tuple[str, Answer, Answer]:
        async with Client(shop.commands) as client:
            cart_id = await client.cart(sku)
            behind.proxy.cut_next_append()
            lost = await client.once(f"/carts/{cart_id}/checkout", CHECKOUT, key=key)
            return cart_id, lost, await client.done(f"/carts/{cart_id}/checkout", CHECKOUT, key=key)

    cuts = behind.proxy.cuts
    cart_id, lost, retried = asyncio.run(buy())
    assert behind.proxy.cuts == cuts + 1
    assert (lost.status, lost.json()["type"]) == (503, "/problems/store-unavailable")
    assert lost.headers["content-type"] == "application/problem+json"
    assert retried.status == 201
    assert retried.headers["idempotency-replayed"] == "true"
    bought = Bought(
        order_id=retried.json()["id"],
        cart_id=cart_id,
        position=retried.json()["position"],
        units=Counter({sku: 1}),
        key=key,
        body=retried.body,
    )
    with shop.stored() as stored:
        stored.holds([bought], skus=[sku])
        stored.verifies()


def test_shoppers_whose_acknowledgements_are_lost_time_and_again_lose_nothing_else(behind: Behind) -> None:
    """Payments' outcomes are lost, too: their commands have no key, and are recorded once."""
    cuts = behind.proxy.cuts
    with behind.shop.load() as load:
        for _ in range(8):
            behind.proxy.cut_next_append()
            load.wait_for_orders(3)
    assert behind.proxy.cuts >= cuts + 8
    load.retry()
    with behind.shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.verifies()
        stored.views_equal_a_rebuild()
