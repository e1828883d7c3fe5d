"""Many at once: nobody oversold, nothing lost, one answer per key."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from pathlib import Path

from event_store.records import EventLog
from tests.shop.http import key, open_shop


def test_two_hundred_buyers_of_one_unit(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("LAST", units=1)
            carts = await asyncio.gather(*(shop.cart(LAST=1) for _ in range(200)))
            answers = await asyncio.gather(*(shop.checkout(cart, wait=False) for cart in carts))
            assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 199}
            refused = {answer.json()["type"] for answer in answers if answer.status_code == 409}
            assert refused == {"/problems/not-enough-stock"}
            assert len(shop.events("orders.order_placed")) == 1

    asyncio.run(scenario())


def test_fifty_changes_of_one_cart_are_all_in_it(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            for n in range(25):
                await shop.product(f"P{n}")
            cart_id = await shop.cart()
            bodies = [{"sku": f"P{n % 25}", "quantity": 1} for n in range(50)]
            answers = await asyncio.gather(*(shop.post(f"/carts/{cart_id}/items", one) for one in bodies))
            assert all(answer.status_code in (200, 201) for answer in answers)
            assert len({answer.json()["version"] for answer in answers}) == 50
            added = shop.events("cart.item_added")
            changed = shop.events("cart.quantity_changed")
            assert (len(added), len(changed)) == (25, 25)
            assert {event.quantity for event in changed} == {2}

    asyncio.run(scenario())


def test_two_processes_on_one_log_never_sell_a_unit_twice(log: EventLog, tmp_path: Path) -> None:
    """Two handling loops, each with its own memory, as two command processes have."""

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as two:
            await one.product("FEW", units=7)
            carts = await asyncio.gather(*((one, two)[n % 2].cart(FEW=1) for n in range(60)))
            answers = await asyncio.gather(
                *((one, two)[n % 2].checkout(cart, wait=False) for n, cart in enumerate(carts))
            )
            assert Counter(answer.status_code for answer in answers) == {201: 7, 409: 53}
            assert len(one.events("inventory.stock_reserved")) == 7

    asyncio.run(scenario())


def test_one_key_sent_twenty_times_at_once_is_one_order_with_one_answer(
    log: EventLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as two:
            await one.product("MUG", units=50)
            cart_id = await one.cart(MUG=1)
            same = secrets.token_hex(16)
            answers = await asyncio.gather(
                *((one, two)[n % 2].checkout(cart_id, wait=False, Idempotency_Key=same) for n in range(20))
            )
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.content for answer in answers}) == 1
            replayed = [a for a in answers if a.headers.get("idempotency-replayed") == "true"]
            assert len(replayed) == 19
            assert len(one.events("orders.order_placed")) == 1

    asyncio.run(scenario())


def test_a_key_is_bound_to_its_request(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG")
            headers = key()
            path = "/api/v1/inventory/MUG/receipts"
            first = await shop.client.post(path, json={"quantity": 5}, headers=headers)
            head = log.head()
            again = await shop.client.post(path, json={"quantity": 5}, headers=headers)
            assert (again.status_code, again.content) == (first.status_code, first.content)
            assert again.headers["idempotency-replayed"] == "true"
            other = await shop.client.post(path, json={"quantity": 6}, headers=headers)
            assert (other.status_code, other.json()["type"]) == (
                422,
                "/problems/idempotency-key-reused",
            )
            assert log.head() == head

    asyncio.run(scenario())


def test_a_refusal_is_decided_afresh_under_its_key(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG")
            cart_id = await shop.cart(MUG=1)
            name = secrets.token_hex(16)
            refused = await shop.checkout(cart_id, Idempotency_Key=name)
            assert refused.status_code == 409
            await shop.client.post("/api/v1/inventory/MUG/receipts", json={"quantity": 1}, headers=key())
            accepted = await shop.checkout(cart_id, Idempotency_Key=name)
            assert accepted.status_code == 201

    asyncio.run(scenario())


def test_repeating_what_changed_nothing_answers_the_same(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG")
            cart_id = await shop.cart(MUG=2)
            at = log.head()
            for _ in range(2):
                unchanged = await shop.client.put(f"/api/v1/carts/{cart_id}/items/MUG", json={"quantity": 2})
                assert unchanged.status_code == 200
                assert unchanged.json() == {"id": cart_id, "version": 2, "position": at}
            assert log.head() == at

    asyncio.run(scenario())
