"""Redis emptied: built again without being told, and nobody sees a part of a view meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from tests.faults.shoppers import Client, Load
from tests.faults.truth import Truth
from tests.faults.watching import watched
from tests.shop.system import Shop

pytestmark = pytest.mark.slow

ORDERS = 12


def grow(shop: Shop, load: Load, cart_id: str) -> None:
    async def add() -> None:
        async with Client(shop.commands) as client:
            for sku in load.skus:
                await client.done(f"/carts/{cart_id}/items", {"sku": sku, "quantity": 1})

    asyncio.run(add())


def empty(truth: Truth) -> None:
    with Redis.from_url(truth.redis_url) as client:
        client.flushall()


def test_emptied_while_idle(shop: Shop) -> None:
    with shop.load() as load:
        cart_id = shop.cart()
        load.wait_for_orders(ORDERS)
        grow(shop, load, cart_id)
    with shop.truth() as truth:
        truth.holds(load.bought, skus=load.skus)
        head = truth.log.head()
        with watched(shop, load, cart_id) as watch:
            watch.wait_answers(from_position=head)
            for _ in range(2):
                empty(truth)
                truth.wait_views(head)
                watch.wait_answers(from_position=head)
        assert any(page.refusals for page in watch.pages)
        truth.views_equal_a_rebuild()


def test_emptied_under_load(shop: Shop) -> None:
    with shop.load() as load, shop.truth() as truth:
        cart_id = shop.cart()
        load.wait_for_orders(1)
        truth.wait_views(truth.log.head())  # Everything watched is there, and in stock.
        with watched(shop, load, cart_id) as watch:
            for _ in range(2):
                load.wait_for_orders(ORDERS // 2)
                grow(shop, load, cart_id)
                empty(truth)
                load.wait_for_orders(ORDERS // 2)
                head = truth.log.head()
                truth.wait_views(head)
                watch.wait_answers(from_position=head)
    load.ask_again()
    with shop.truth() as truth:
        truth.holds(load.bought, skus=load.skus)
        truth.verifies()
        truth.views_equal_a_rebuild()
