"""The log took a command and nobody was told: the client's retry is told the first outcome."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter

import pytest

from tests.faults.asking import Answer
from tests.faults.conftest import Behind
from tests.faults.shoppers import Bought, Client
from tests.shop.http import CHECKOUT

pytestmark = pytest.mark.slow


def test_an_order_whose_acknowledgement_was_lost_is_told_of_by_the_retry(behind: Behind) -> None:
    shop = behind.shop
    (sku,) = shop.products(1, units=5)
    key = secrets.token_hex(16)

    async def buy() -> tuple[str, Answer, Answer]:
        async with Client(shop.commands) as client:
            cart_id = await client.cart(sku)
            behind.door.cut_next_append()
            lost = await client.once(f"/carts/{cart_id}/checkout", CHECKOUT, key=key)
            return cart_id, lost, await client.done(f"/carts/{cart_id}/checkout", CHECKOUT, key=key)

    cuts = behind.door.cuts
    cart_id, lost, told = asyncio.run(buy())
    assert behind.door.cuts == cuts + 1
    assert (lost.status, lost.json()["type"]) == (503, "/problems/store-unavailable")
    assert lost.headers["content-type"] == "application/problem+json"
    assert told.status == 201
    assert told.headers["idempotency-replayed"] == "true"
    bought = Bought(
        order_id=told.json()["id"],
        cart_id=cart_id,
        position=told.json()["position"],
        units=Counter({sku: 1}),
        key=key,
        body=told.body,
    )
    with shop.truth() as truth:
        truth.holds([bought], skus=[sku])
        truth.verifies()


def test_shoppers_whose_acknowledgements_are_lost_time_and_again_lose_nothing_else(behind: Behind) -> None:
    """Payments' outcomes are lost, too: their commands have no key, and are recorded once."""
    cuts = behind.door.cuts
    with behind.shop.load() as load:
        for _ in range(8):
            behind.door.cut_next_append()
            load.wait_for_orders(3)
    assert behind.door.cuts >= cuts + 8
    load.ask_again()
    with behind.shop.truth() as truth:
        truth.holds(load.bought, skus=load.skus)
        truth.verifies()
        truth.views_equal_a_rebuild()
