"""Whose order it is: where an operator token is set, its shopper shows the secret that checkout answered."""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog

from aggregates.orders.events import OrderPlaced
from commands.http.order_secrets import order_secret
from event_store.memory.log import MemoryLog
from event_store.records import Entry, EventLog
from tests.shop.facts import CODEC
from tests.shop.http import Shop, open_shop

TOKEN = "sesame-sesame"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


def guarded(log: EventLog, folder: Path) -> AbstractAsyncContextManager[Shop]:
    return open_shop(log, folder, operator_token=TOKEN)


async def stock(shop: Shop, units: int = 9) -> None:
    shop.client.headers.update(OPERATOR)
    await shop.product("MUG", units=units)
    del shop.client.headers["Authorization"]


async def order(shop: Shop, **headers: str) -> tuple[str, str]:
    """A new order's id and secret."""
    answer = await shop.checkout(await shop.cart(MUG=1), **headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["order_secret"]


async def cancel(shop: Shop, order_id: str, secret: str | None = None, **headers: str) -> httpx.Response:
    shown = {} if secret is None else {"Daybook_Order_Secret": secret}
    return await shop.post(f"/orders/{order_id}/cancel", {}, **shown, **headers)


def essence(answer: httpx.Response) -> tuple[Any, ...]:
    """All that an answer says, but for its trace."""
    headers_kept = {name: value for name, value in answer.headers.items() if "trace" not in name}
    return answer.status_code, answer.content, headers_kept


def test_a_checkout_is_answered_with_its_orders_secret_however_often_it_is_sent(
    log: EventLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as two:
            await one.product("MUG", units=9)
            cart_id, key = await one.cart(MUG=1), uuid4().hex
            first, again, elsewhere = [
                await shop.checkout(cart_id, Idempotency_Key=key) for shop in (one, one, two)
            ]
            assert first.headers["cache-control"] == "no-store"
            secret = first.json()["order_secret"]
            assert re.fullmatch("[0-9a-f]{64}", secret)
            assert first.content == again.content == elsewhere.content
            assert again.headers["idempotency-replayed"] == "true"
            assert (await order(two))[1] != secret
            placed = one.events("orders.order_placed")[0]
            assert placed.secret_hash == hashlib.sha256(secret.encode()).hexdigest()

    asyncio.run(scenario())


def test_a_secret_is_written_down_nowhere(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(log, tmp_path) as shop:
            await stock(shop)
            with structlog.testing.capture_logs() as lines:
                order_id, secret = await order(shop)
                assert (await cancel(shop, order_id, secret)).status_code == 200
            written: list[object] = [*log.read_all(after=0, limit=1_000), *lines]
            rows = log.journal_rows(first_position=1, last_position=log.head())
            assert {"place_order", "cancel_order"} <= {row.name for row in rows}
            assert secret not in repr([*written, *rows])

    asyncio.run(scenario())


def test_an_order_is_canceled_by_the_operator_and_by_its_shopper_alone(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(log, tmp_path) as shop:
            await stock(shop)
            mine, my_secret = await order(shop)
            other, other_secret = await order(shop)
            head = log.head()
            answers = [
                await cancel(shop, order_id, secret, **headers)
                for order_id in (mine, "0" * 40)
                for secret in (None, other_secret, "0" * 64, "", "no secret", my_secret.upper())
                for headers in ({}, {"Idempotency_Key": "k" * 16}, {"Authorization": "Bearer nobody"})
            ]
            assert {repr(essence(answer)) for answer in answers} == {repr(essence(answers[0]))}
            assert answers[0].status_code == 401
            assert answers[0].json()["type"] == "/problems/order-secret-required"
            assert answers[0].headers["www-authenticate"] == "Bearer"
            assert log.head() == head
            done = await cancel(shop, mine, my_secret)
            assert done.status_code == 200, done.text
            assert log.read_stream(f"order-{mine}")[-1].actor == f"shopper:{mine}"
            assert (await cancel(shop, other, None, **OPERATOR)).status_code == 200
            assert (await cancel(shop, "0" * 40, None, **OPERATOR)).status_code == 404
            # Who holds an order is no operator of it.
            sent = await shop.post(f"/orders/{mine}/fulfilments", {}, Daybook_Order_Secret=my_secret)
            assert sent.json()["type"] == "/problems/operator-token-required"

    asyncio.run(scenario())


def test_without_a_token_everybody_cancels_and_no_secret_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=9)
            for secret in (None, "wrong"):
                assert (await cancel(shop, (await order(shop))[0], secret)).status_code == 200
            assert (await cancel(shop, "0" * 40)).status_code == 404

    asyncio.run(scenario())


def test_an_order_of_before_secrets_is_the_operators(tmp_path: Path) -> None:
    log = MemoryLog()

    async def scenario() -> None:
        async with guarded(log, tmp_path) as shop:
            await stock(shop)
            order_id, _ = await order(shop)
            first = log.read_stream(f"order-{order_id}")[0]
            placed = CODEC.decode(first)
        before = without_secret(log, placed)
        async with guarded(log, tmp_path) as shop:
            right = order_secret(log.installation_secret(), before)
            unknown = await cancel(shop, "0" * 40, right)
            assert essence(await cancel(shop, before, right)) == essence(unknown)
            assert (await cancel(shop, before, **OPERATOR)).status_code == 200

    asyncio.run(scenario())


def without_secret(log: EventLog, placed: OrderPlaced) -> str:
    """The same order once more, as it was placed before there were secrets."""
    order_id = uuid4().hex
    was = replace(placed, order_id=order_id, secret_hash=None, email=None, shipping_address=None, lines=())
    stream = f"order-{order_id}"
    entry = Entry(
        command_id=uuid4(),
        name="place_order",
        verdict="accepted",
        reads={stream: 0},
        events=[CODEC.encode(stream, was)],
        actor="anonymous:",
        channel="api",
    )
    log.append([entry])
    return order_id


def test_a_key_is_one_holders_alone(tmp_path: Path) -> None:
    """Two shoppers and the operator all call their request `k`."""

    async def scenario() -> None:
        async with guarded(MemoryLog(), tmp_path) as shop:
            await stock(shop)
            (one, one_secret), (two, two_secret), (three, _) = [await order(shop) for _ in range(3)]
            k = {"Idempotency_Key": "k" * 16}
            answers = [
                await cancel(shop, one, one_secret, **k),
                await cancel(shop, two, two_secret, **k),
                await cancel(shop, three, **k, **OPERATOR),
            ]
            assert [(answer.status_code, answer.json()["id"]) for answer in answers] == [
                (200, one),
                (200, two),
                (200, three),
            ]
            assert not any("idempotency-replayed" in answer.headers for answer in answers)
            again = await cancel(shop, one, one_secret, **k)
            assert again.headers["idempotency-replayed"] == "true"
            stranger = await cancel(shop, one, **k)  # An answer is not learnt by its key either.
            assert stranger.status_code == 401

    asyncio.run(scenario())


@pytest.mark.parametrize(("token", "stranger"), [(TOKEN, 401), (None, 201)])
def test_where_a_token_is_set_only_the_operator_says_whose_a_cart_is(
    tmp_path: Path, token: str | None, stranger: int
) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path, operator_token=token) as shop:
            hers = {"currency": "GBP", "customer_id": "17850"}
            answer = await shop.post("/carts", hers)
            assert answer.status_code == stranger
            if stranger == 401:
                assert answer.json()["type"] == "/problems/operator-token-required"
                assert log.head() == 0
            assert (await shop.post("/carts", hers, **OPERATOR)).status_code == 201
            assert (await shop.post("/carts", {"currency": "GBP"})).status_code == 201

    asyncio.run(scenario())
