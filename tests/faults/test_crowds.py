"""Crowds on two command processes, an import writing beside them: nobody is oversold, nothing is lost."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from pathlib import Path

import pytest

from aggregates.cart.events import ItemAdded, QuantityChanged
from aggregates.inventory.events import StockReserved
from aggregates.orders.events import OrderPlaced
from tests.faults.crowd import both_processes, import_beside
from tests.faults.http_client import Answer
from tests.faults.shoppers import Client
from tests.shop.http import CHECKOUT
from tests.shop.system import Shop

pytestmark = pytest.mark.slow

BUYERS = 200
OTHER_BUYERS = 40
CHANGES = 50
TIMES = 20


def test_one_unit_and_two_hundred_buyers(shop: Shop, faults_folder: Path) -> None:
    """Others meanwhile buy what the import sells, too."""
    (last,) = shop.products(1, units=1)
    sold_by_both = shop.products(4)

    async def scenario() -> tuple[list[Answer], list[Answer]]:
        async with both_processes(shop) as clients:

            async def buy(number: int, sku: str) -> Answer:
                client = clients[number % 2]
                cart_id = await client.cart(sku)
                ready.append(number)
                if len(ready) == BUYERS + OTHER_BUYERS:
                    everyone_is.set()
                await everyone_is.wait()
                return await client.post(f"/carts/{cart_id}/checkout", CHECKOUT)

            ready: list[int] = []
            everyone_is = asyncio.Event()
            answers = await asyncio.gather(
                *(buy(number, last) for number in range(BUYERS)),
                *(buy(number, sold_by_both[0]) for number in range(OTHER_BUYERS)),
            )
            return answers[:BUYERS], answers[BUYERS:]

    with import_beside(shop, faults_folder, sold_by_both, invoices=1_500):
        answers, others = asyncio.run(scenario())

    refused = [answer for answer in answers if answer.status != 201]
    assert len(refused) == BUYERS - 1
    for answer in refused:
        problem = answer.json()
        assert (answer.status, problem["type"]) == (409, "/problems/not-enough-stock")
        assert (problem["sku"], problem["asked"], problem["available"]) == (last, 1, 0)
    assert [answer.status for answer in others] == [201] * OTHER_BUYERS
    with shop.stored() as stored:
        facts = [event for _, event in stored.facts()]
        placed = Counter(
            line.sku
            for event in facts
            if isinstance(event, OrderPlaced) and event.cart_id is not None
            for line in event.lines
        )
        assert (placed[last], placed[sold_by_both[0]]) == (1, OTHER_BUYERS)
        assert sum(isinstance(event, StockReserved) and event.sku == last for event in facts) == 1
        stored.verifies()
        stored.views_equal_a_rebuild()


def test_fifty_parallel_changes_of_one_cart_are_all_in_it(shop: Shop, faults_folder: Path) -> None:
    skus = shop.products(CHANGES // 2, units=0)

    async def scenario() -> tuple[str, list[Answer]]:
        async with both_processes(shop) as clients:
            cart_id = await clients[0].cart()
            requests = [(clients[n % 2], {"sku": skus[n % len(skus)], "quantity": 1}) for n in range(CHANGES)]
            answers = await asyncio.gather(
                *(client.done(f"/carts/{cart_id}/items", body) for client, body in requests)
            )
            return cart_id, answers

    with import_beside(shop, faults_folder, shop.products(4), invoices=700):
        cart_id, answers = asyncio.run(scenario())

    versions = sorted(answer.json()["version"] for answer in answers)
    assert versions == list(range(2, CHANGES + 2)), "the cart was opened, and then changed fifty times"
    with shop.stored() as stored:
        stream = stored.stream(f"cart-{cart_id}")
        added = [event.sku for event in stream if isinstance(event, ItemAdded)]
        changed = [event for event in stream if isinstance(event, QuantityChanged)]
        assert sorted(added) == sorted(skus)
        assert len(changed) == CHANGES // 2
        assert {event.quantity for event in changed} == {2}


def test_one_key_sent_many_times_at_once_is_one_order_with_one_answer(shop: Shop) -> None:
    (sku,) = shop.products(1)
    key = secrets.token_hex(16)

    async def scenario() -> list[Answer]:
        async with both_processes(shop) as clients:
            cart_id = await clients[0].cart(sku)

            async def send(client: Client) -> Answer:
                return await client.done(f"/carts/{cart_id}/checkout", CHECKOUT, key=key)

            return await asyncio.gather(*(send(clients[n % 2]) for n in range(TIMES)))

    answers = asyncio.run(scenario())
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) <= 1
    with shop.stored() as stored:
        orders = [
            event
            for _, event in stored.facts()
            if isinstance(event, OrderPlaced) and event.lines[0].sku == sku
        ]
        assert [event.order_id for event in orders] == [answers[0].json()["id"]]
