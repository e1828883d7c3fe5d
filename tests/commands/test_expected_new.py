"""What a command expects to be new is not looked for, and is found all the same where it is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commands.gateways.stripe_events import WEBHOOK_PATH
from commands.gateways.stripe_signature import sign
from event_store.memory.log import MemoryLog
from event_store.records import NO_VERSIONS, EventLog, RecordedEvent
from tests.shop.http import Shop, open_shop


class _Log(MemoryLog):
    """Notes which streams are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def read_streams(
        self, streams: Sequence[str], *, after: Mapping[str, int] = NO_VERSIONS
    ) -> dict[str, list[RecordedEvent]]:
        self.read += streams
        return super().read_streams(streams, after=after)


async def _post_news(shop: Shop, order: str) -> list[str]:
    """Posts all that the gateway can tell of an order; the ids of these news."""
    since = datetime.now(UTC) - timedelta(days=1)
    news = [one for one in shop.gateway.books.events(since) if order in json.dumps(one)]
    for one in news:
        body = json.dumps(dict(one)).encode()
        headers = {"Stripe-Signature": sign(body, shop.gateway.books.webhook_secret, datetime.now(UTC))}
        response = await shop.client.post(WEBHOOK_PATH, content=body, headers=headers)
        assert response.status_code == 200, response.text
    return [one["id"] for one in news]


def test_an_order_and_its_news_read_no_stream_of_the_log(tmp_path: Path) -> None:
    log = _Log()

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG", units=5)
            cart = await shop.cart(MUG=1)
            log.read.clear()
            order = (await shop.checkout(cart)).json()["id"]
            assert await _post_news(shop, order)
            assert log.read == []

    asyncio.run(scenario())


def test_a_view_of_a_product_in_memory_reads_no_stream_of_the_log(tmp_path: Path) -> None:
    log = _Log()

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            await shop.product("MUG")
            log.read.clear()
            for number in range(3):
                response = await shop.post(f"/visits/{number:032}/views", {"sku": "MUG"})
                assert response.status_code == 201, response.text
            assert log.read == []

    asyncio.run(scenario())


def test_a_visit_that_another_process_began_goes_on(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as two:
            for sku in ("MUG", "PAN"):
                await one.product(sku)
            views = f"/visits/{'v' * 32}/views"
            for shop, sku, version in ((one, "MUG", 1), (two, "PAN", 2), (one, "PAN", 2), (one, "MUG", 3)):
                response = await shop.post(views, {"sku": sku})
                assert response.json()["version"] == version, response.text
            viewed = [(event.number, event.sku) for event in one.events("visits.product_viewed")]
            assert viewed == [(1, "MUG"), (2, "PAN"), (3, "MUG")]

    asyncio.run(scenario())


def test_news_that_another_process_recorded_are_recorded_once(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as two:
            await one.product("MUG", units=5)
            order = (await one.checkout(await one.cart(MUG=1))).json()["id"]
            ids = await _post_news(one, order)
            assert await _post_news(two, order) == ids
            recorded = [event.event_id for event in one.events("payments.gateway_news_received")]
            assert recorded == ids

    asyncio.run(scenario())


def test_a_payment_that_another_process_knows_is_linked_once(log: EventLog, tmp_path: Path) -> None:
    """The news of it came, and was parked or linked, before the call was answered."""

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as one, open_shop(log, tmp_path) as two:
            await one.product("MUG", units=40)
            carts = [await one.cart(MUG=1) for _ in range(20)]
            checkouts = [asyncio.create_task(one.checkout(cart)) for cart in carts]
            while not all(task.done() for task in checkouts):
                await asyncio.sleep(0)
                for order in [event.order_id for event in two.events("orders.order_placed")]:
                    await _post_news(two, order)
            orders = {(await task).json()["id"] for task in checkouts}
            linked = [event.order_id for event in one.events("payments.gateway_payment_linked")]
            assert (len(linked), set(linked)) == (20, orders)

    asyncio.run(scenario())
