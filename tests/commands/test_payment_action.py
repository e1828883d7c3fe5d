"""A shopper who must prove who they are gets the gateway's secret, by the cart's id; nobody keeps it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage

from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, VISA
from commands.http.payments import ACTIONS_PER_MINUTE, _actions
from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from tests.shop.http import open_shop
from tests.waiting import SECONDS_MAX


def test_the_secret_is_the_gateways_and_stands_nowhere(
    log: EventLog, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> str:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=1)
            cart_id = await shop.cart(MUG=1)
            placed = await shop.checkout(cart_id, method=AUTHENTICATION_REQUIRED)
            assert placed.status_code == 201, placed.text
            (charge,) = shop.gateway.charges()
            head = log.head()
            answer = await shop.post(f"/carts/{cart_id}/payment-action")
            assert answer.status_code == 200, answer.text
            assert answer.headers["cache-control"] == "no-store"
            secret = shop.gateway.books.client_secret(charge.reference)
            assert answer.json() == {"client_secret": secret, "publishable_key": "pk_test_sandbox"}
            assert log.head() == head
            return secret

    secret = asyncio.run(scenario())
    written = [repr(recorded) for recorded in log.read_all(after=0, limit=1_000)]
    assert not any(secret in one for one in (*written, *capfd.readouterr()))


def test_without_a_payment_that_waits_there_is_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=2)
            unknown = await shop.post(f"/carts/{'0' * 32}/payment-action")
            assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-cart")
            cart_id = await shop.cart(MUG=1)
            early = await shop.post(f"/carts/{cart_id}/payment-action")
            assert (early.status_code, early.json()["type"]) == (409, "/problems/cart-not-checked-out")
            await shop.checkout(cart_id, method=VISA)
            paid = await shop.post(f"/carts/{cart_id}/payment-action")
            assert (paid.status_code, paid.json()["type"]) == (409, "/problems/payment-not-possible")
            assert paid.json()["payment_status"] == "authorized"

    asyncio.run(scenario())


def test_one_cart_cannot_ask_the_gateway_without_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            cart_id, other = await shop.cart(), await shop.cart()
            answers = [await shop.post(f"/carts/{cart_id}/payment-action") for _ in range(13)]
            assert [answer.status_code for answer in answers] == [409] * ACTIONS_PER_MINUTE.amount + [429]
            assert answers[-1].json()["type"] == "/problems/too-many-requests"
            assert (await shop.post(f"/carts/{other}/payment-action")).status_code == 409

    asyncio.run(scenario())


def test_carts_that_asked_leave_nothing_in_memory() -> None:
    limiter = type(_actions)(MemoryStorage())
    assert isinstance(limiter.storage, MemoryStorage)
    for cart in range(100):
        assert limiter.hit(RateLimitItemPerSecond(1), str(cart))
    until = time.monotonic() + SECONDS_MAX
    while len(limiter.storage.events) + len(limiter.storage.storage) > 1:
        assert time.monotonic() < until
        limiter.hit(RateLimitItemPerSecond(1), "last")
        time.sleep(0.02)


def test_a_gateway_that_is_away_is_a_problem_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=1)
            cart_id = await shop.cart(MUG=1)
            await shop.checkout(cart_id, method=AUTHENTICATION_REQUIRED)
            shop.gateway.books.plant("payment_intents.retrieve", "500")
            away = await shop.post(f"/carts/{cart_id}/payment-action")
            assert (away.status_code, away.json()["type"]) == (503, "/problems/gateway-unavailable")
            assert (await shop.post(f"/carts/{cart_id}/payment-action")).status_code == 200

    asyncio.run(scenario())
