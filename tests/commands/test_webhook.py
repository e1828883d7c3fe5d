"""The gateway's news at the webhook: signed or refused, recorded once, 503 while the log is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands.gateways.sandbox import AUTHENTICATION_REQUIRED
from commands.gateways.stripe_events import WEBHOOK_PATH
from commands.gateways.stripe_signature import sign
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from tests.shop.http import Shop, open_shop


async def _asked_for_proof(shop: Shop) -> tuple[str, list[dict[str, Any]]]:
    """An order whose shopper proved who they are, and the events that tell of it."""
    await shop.product("MUG", units=5)
    cart = await shop.cart(MUG=1)
    order = (await shop.checkout(cart, method=AUTHENTICATION_REQUIRED)).json()["id"]
    books = shop.gateway.books
    while not (charges := books.charges(order)):
        await asyncio.sleep(0.01)
    books.shopper_passes(charges[0].reference)
    since = datetime.now(UTC) - timedelta(days=1)
    return order, [dict(one) for one in books.events(since)]


async def _post(shop: Shop, event: dict[str, Any], **changed: Any) -> httpx.Response:
    body = json.dumps(event).encode()
    now = changed.get("now", datetime.now(UTC))
    signature = sign(body, changed.get("secret", shop.gateway.books.webhook_secret), now)
    return await shop.client.post(
        WEBHOOK_PATH,
        content=changed.get("body", body),
        headers={"Stripe-Signature": changed.get("signature", signature)},
    )


def _run(log: EventLog, folder: Path, scenario: Callable[[Shop], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_shop(log, folder) as shop:
            await scenario(shop)

    asyncio.run(run())


def _passed(events: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in events if one["type"] == "payment_intent.amount_capturable_updated")


def test_news_are_one_command_and_recorded_once(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        _, events = await _asked_for_proof(shop)
        before = shop.log.head()
        first = await _post(shop, _passed(events))
        assert (first.status_code, first.json()) == (200, {"recorded": True})
        written = shop.log.read_all(after=before, limit=100)
        assert {one.type for one in written} >= {"payments.payment_authorized", "orders.order_confirmed"}
        assert len({one.command_id for one in written}) == 1
        assert (await _post(shop, _passed(events))).status_code == 200
        assert [one.type for one in shop.log.read_all(after=written[-1].position, limit=100)] == []

    _run(MemoryLog(), tmp_path, scenario)


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "whsec_another"},
        {"signature": ""},
        {"signature": "t=1,v1=00"},
        {"now": datetime.now(UTC) - timedelta(minutes=6)},
        {"body": b'{"id": "evt_1"}'},
        {"body": b"\xff\xfe"},
    ],
    ids=["another secret", "none", "nonsense", "too old", "another body", "no text"],
)
def test_what_the_gateway_did_not_sign_is_refused_and_changes_nothing(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    async def scenario(shop: Shop) -> None:
        _, events = await _asked_for_proof(shop)
        before = shop.log.head()
        refused = await _post(shop, _passed(events), **changed)
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/news-rejected")
        assert shop.log.head() == before

    _run(MemoryLog(), tmp_path, scenario)


@pytest.mark.parametrize(
    "other",
    [{"type": "customer.created"}, {"livemode": True}, {"account": "acct_1"}],
    ids=["kind", "livemode", "account"],
)
def test_news_that_are_not_for_us_are_taken_and_not_recorded(tmp_path: Path, other: dict[str, Any]) -> None:
    async def scenario(shop: Shop) -> None:
        _, events = await _asked_for_proof(shop)
        before = shop.log.head()
        taken = await _post(shop, _passed(events) | other)
        assert (taken.status_code, taken.json()) == (200, {"recorded": False})
        assert shop.log.head() == before

    _run(MemoryLog(), tmp_path, scenario)


def test_of_another_api_version_the_payment_is_looked_at(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order, events = await _asked_for_proof(shop)
        assert (await _post(shop, _passed(events) | {"api_version": "2020-08-27"})).status_code == 200
        confirmed = ["orders.order_confirmed"]
        for _ in range(1_000):
            if [one.type for one in shop.log.read_stream(f"order-{order}")][1:] == confirmed:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the look did not confirm it")

    _run(MemoryLog(), tmp_path, scenario)


def test_while_the_log_is_away_the_gateway_is_to_send_it_again(fresh_postgres: str, tmp_path: Path) -> None:
    log = PostgresLog.open(fresh_postgres)

    async def scenario(shop: Shop) -> None:
        _, events = await _asked_for_proof(shop)
        log.close()
        away = await _post(shop, _passed(events))
        assert (away.status_code, away.json()["type"]) == (503, "/problems/store-unavailable")

    _run(log, tmp_path, scenario)
