"""Redis emptied: built again by itself, and nobody sees a part of a view meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from tests.faults.page_watch import watched
from tests.faults.shoppers import Client, Load
from tests.faults.stored_state import StoredState
from tests.shop.system import Shop

pytestmark = pytest.mark.slow

ORDERS = 12


def grow(shop: Shop, load: Load, cart_id: str) -> None:
    async def add() -> None:
        async with Client(shop.commands) as client:
            for sku in load.skus:
                await client.done(f"/carts/{cart_id}/items", {"sku": sku, "quantity": 1})

    asyncio.run(add())


def empty(stored: StoredState) -> None:
    with Redis.from_url(stored.redis_url) as client:
        client.flushall()


def test_emptied_while_idle(shop: Shop) -> None:
    with shop.load() as load:
        cart_id = shop.cart()
        load.wait_for_orders(ORDERS)
        grow(shop, load, cart_id)
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        head = stored.log.head()
        with watched(shop, load, cart_id) as watch:
            watch.wait_answers(from_position=head)
            for _ in range(2):
                empty(stored)
                stored.wait_views(head)
                watch.wait_answers(from_position=head)
        assert any(page.refusals for page in watch.pages)
        stored.views_equal_a_rebuild()


def test_emptied_under_load(shop: Shop) -> None:
    with shop.load() as load, shop.stored() as stored:
        cart_id = shop.cart()
        load.wait_for_orders(1)
        stored.wait_views(stored.log.head())  # Everything watched is there, and in stock.
        with watched(shop, load, cart_id) as watch:
            for _ in range(2):
                load.wait_for_orders(ORDERS // 2)
                grow(shop, load, cart_id)
                empty(stored)
                load.wait_for_orders(ORDERS // 2)
                head = stored.log.head()
                stored.wait_views(head)
                watch.wait_answers(from_position=head)
    load.retry()
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.verifies()
        stored.views_equal_a_rebuild()
