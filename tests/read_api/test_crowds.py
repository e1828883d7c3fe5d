"""Several hundred readers at once: each waits its turn, and is answered as if it were alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import httpx
import pytest
from redis import Redis

from deploy.local.servers.redis import RedisServer
from projections.documents.errors import ReadStoreUnavailable
from projections.documents.redis_connections import CONNECTIONS_MAX
from projections.documents.redis_reader import RedisReader
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.facts import placed
from tests.shop.views import ViewShop
from tests.suspended import suspended
from tests.waiting import SECONDS_MAX

CROWD = 400


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd's own work may take a slow machine longer than a server may keep a reader waiting."""
    monkeypatch.setattr("projections.documents.redis_connections.QUEUED_SECONDS_MAX", SECONDS_MAX)
    monkeypatch.setattr("read_api.app.RedisReader", partial(RedisReader, timeout_seconds=SECONDS_MAX))


@pytest.mark.usefixtures("patient")
def test_hundreds_of_reads_at_once_share_a_few_connections(shop: ViewShop, fresh_redis: str) -> None:
    shop.lists("MUG")

    def connections() -> int:
        with Redis.from_url(fresh_redis) as client:
            return len(client.client_list())

    before = connections()

    async def crowd() -> None:
        reader = RedisReader(fresh_redis, timeout_seconds=SECONDS_MAX)
        try:
            reads = await asyncio.gather(*(reader.documents("product", ["MUG"]) for _ in range(CROWD)))
            assert connections() - before <= CONNECTIONS_MAX
        finally:
            await reader.close()
        assert {read.position for read in reads} == {shop.position}
        assert all(read.documents[0] is not None for read in reads)

    asyncio.run(crowd())


def test_a_wait_for_a_connection_ends(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.documents.redis_connections.QUEUED_SECONDS_MAX", 0.2)

    async def crowd() -> None:
        reader = RedisReader(redis_server.url, timeout_seconds=SECONDS_MAX)
        await reader.ping()
        with suspended(redis_server.process.pid):
            pings = [asyncio.create_task(reader.ping()) for _ in range(CONNECTIONS_MAX + 5)]
            while sum(ping.done() for ping in pings) < 5:
                await asyncio.sleep(0.02)
        requested = await asyncio.gather(*pings, return_exceptions=True)
        await reader.close()
        assert Counter(type(one) for one in requested) == {
            type(None): CONNECTIONS_MAX,
            ReadStoreUnavailable: 5,
        }

    asyncio.run(crowd())


@pytest.mark.usefixtures("patient")
def test_every_route_answers_hundreds_at_once(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.lists("MUG", "CUP")
    shop.happens(placed("o1", "MUG", customer_id="c-1"))
    paths = (
        "/api/v1/bestsellers",
        "/api/v1/bestsellers?window=month",
        "/api/v1/customers/c-1/orders",
        "/api/v1/products/MUG/also-bought",
        "/api/v1/visits/v/recent",
        "/api/v1/customers/c-1/value",
        "/api/v1/inventory?low=true",
        "/api/v1/dashboards/sales",
        "/api/v1/dashboards/hours",
        "/api/v1/dashboards/conversion",
        "/api/v1/products",
        "/api/v1/search?q=mug",
        "/api/v1/suggest?q=mu",
        "/api/v1/products/MUG",
        "/health/ready",
    )
    shop.head_at_start = shop.position

    async def crowd(address: str) -> Counter[tuple[str, int]]:
        limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=SECONDS_MAX) as client:
            headers = {"Daybook-Min-Position": str(shop.position)}
            requested = [paths[at % len(paths)] for at in range(CROWD)]
            answers = await asyncio.gather(*(client.get(path, headers=headers) for path in requested))
        return Counter((path, answer.status_code) for path, answer in zip(requested, answers, strict=True))

    with running(build_query_app(query_settings, ready_position=lambda: shop.head_at_start)) as address:
        found = asyncio.run(crowd(address))
    assert {status for _, status in found} == {200}, found


def test_those_who_wait_for_the_index_leave_threads_to_searches(
    shop: ViewShop, query_settings: QuerySettings
) -> None:
    shop.lists("MUG")
    settings = query_settings.model_copy(update={"min_position_wait_seconds": 1.0})
    app = build_query_app(settings, ready_position=lambda: None)
    looks = 0
    position = app.state.stores.index.position

    async def counted() -> int:
        nonlocal looks
        looks += 1
        return int(await position())

    app.state.stores.index.position = counted

    async def crowd(address: str) -> None:
        limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=SECONDS_MAX) as client:
            ahead = {"Daybook-Min-Position": str(shop.position + 1)}
            await asyncio.gather(*(client.get("/api/v1/products", headers=ahead) for _ in range(100)))

    with running(app) as address:
        asyncio.run(crowd(address))
    assert looks < 500  # a hundred who each look for themselves make thousands
