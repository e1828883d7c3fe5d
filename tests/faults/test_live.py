"""Event streams through kills, a rebuild and a rollback: in the end a client holds what the page shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from projections.operate import run_action
from tests.faults.background import Background
from tests.faults.shoppers import Address, Client
from tests.shop.system import Shop
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

RETRY_SECONDS = 0.05
SILENT_SECONDS_MAX = SECONDS_MAX


@dataclass
class Stream:
    """A document as a browser's `EventSource` follows it: taken up again with the last id where it ends."""

    path: str
    positions: list[int] = field(default_factory=list)
    document: Any = None
    connected: int = 0


@dataclass
class Listener(Background):
    """Follows these streams."""

    address: Address
    streams: Sequence[Stream]

    async def work(self) -> None:
        timeout = httpx.Timeout(SILENT_SECONDS_MAX)
        async with httpx.AsyncClient(timeout=timeout) as http:
            following = [asyncio.create_task(self._follow(http, stream)) for stream in self.streams]
            await asyncio.to_thread(self._ending.wait)
            for one in following:
                one.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _follow(self, http: httpx.AsyncClient, stream: Stream) -> None:
        while True:
            with suppress(httpx.HTTPError, OSError):
                await self._listen(http, stream)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, http: httpx.AsyncClient, stream: Stream) -> None:
        last = {"Last-Event-ID": str(stream.positions[-1])} if stream.positions else {}
        async with http.stream("GET", f"{self.address()}/api/v1{stream.path}/live", headers=last) as response:
            if response.status_code != 200:
                return
            stream.connected += 1
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    stream.positions.append(int(value))
                elif name == "data":
                    stream.document = json.loads(value)


def test_streams_show_in_the_end_what_pages_show(shop: Shop) -> None:
    sku, other = shop.products(2)
    cart_id = shop.cart(sku)
    streams = [Stream(f"/carts/{cart_id}"), Stream(f"/products/{sku}")]
    with shop.stored() as stored, Listener(shop.read, streams):
        _change(shop, streams, cart_id, sku)
        for name in ("query", "redis", "projector"):
            (victim,) = shop.processes(name)
            connected = [stream.connected for stream in streams]
            victim.kill()
            shop.wait_replaced(name, victim, of=1)
            _change(shop, streams, cart_id, other, sku)
            if name != "query":
                assert [stream.connected for stream in streams] == connected, "no stream ended"
        for action in ("rebuild", "rollback"):
            connected = [stream.connected for stream in streams]
            run_action(
                action,
                ["cart", "product"],
                postgres_url=shop.system.addresses["postgres"],
                redis_url=stored.redis_url,
                data_dir=shop.system.data,
                report=lambda _: None,
            )
            _change(shop, streams, cart_id, sku)
            assert [stream.connected for stream in streams] == connected, "no stream ended"
    for stream in streams:
        assert stream.positions == sorted(set(stream.positions)), "never back, and nothing twice"


def _change(shop: Shop, streams: Sequence[Stream], cart_id: str, *skus: str) -> None:
    """Changes the cart and the products, and waits until every stream shows what its page shows."""

    async def change() -> int:
        async with Client(shop.commands) as client:
            for sku in skus:
                await client.done(f"/carts/{cart_id}/items", {"sku": sku, "quantity": 1})
                answer = await client.done(f"/inventory/{sku}/receipts", {"quantity": 1})
        position: int = answer.json()["position"]
        return position

    headers = {"Daybook-Min-Position": str(asyncio.run(change())), "Prefer": "handling=strict"}

    def shown() -> bool:
        with suppress(httpx.HTTPError, OSError):
            pages = [httpx.get(f"{shop.read()}/api/v1{one.path}", headers=headers) for one in streams]
            return all(
                page.status_code == 200 and page.json() == one.document
                for page, one in zip(pages, streams, strict=True)
            )
        return False

    wait_until(shown, why=lambda: f"streams show {streams}")
