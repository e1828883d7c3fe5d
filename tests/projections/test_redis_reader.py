"""What is read is never older than it claims, also while a view is switched or built anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest
import uvloop
from redis import Redis

from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.keys import ViewKeys
from projections.documents.redis_connections import driver_errors
from projections.documents.redis_reader import Entries, RedisReader
from projections.engine.build import Build
from projections.redis.build import RedisBuild
from projections.redis.store import RedisStore
from projections.redis.versions import delete_version
from projections.views import bestsellers, catalog, customer_orders, orders, sales
from projections.views.view import View
from tests.shop.log import Shop, decoded
from tests.waiting import SECONDS_MAX

Asking = Callable[[RedisReader], Awaitable[None]]


def ask(url: str, asking: Asking) -> None:
    async def run() -> None:
        reader = RedisReader(url)
        try:
            await asking(reader)
        finally:
            await reader.close()

    asyncio.run(run())


def built(shop: Shop, view: View, url: str, *, shards: int = 1) -> Build:
    """The view is published at the log's head."""
    head = shop.flush()
    build = RedisBuild(view, url, shop.log, shards=shards)
    build.open()
    build.apply(decoded(shop.log), up_to=head, tailing=True)
    build.settle(may_hold_back=False)
    if not build.is_published:
        build.publish()
    return build


def test_a_write_to_a_connection_that_was_closed_is_a_store_that_is_away(
    shop: Shop, fresh_redis: str
) -> None:
    shop.lists("MUG")
    built(shop, catalog.VIEW, fresh_redis).close()

    async def asking() -> None:
        reader = RedisReader(fresh_redis)
        await reader.document("product", "MUG")
        (connection,) = (await reader._connections.client()).connection_pool._available_connections
        connection._writer.transport.abort()
        with pytest.raises(ReadStoreUnavailable, match="closed"), driver_errors():
            await connection.send_packed_command(b"PING", check_health=False)
        assert (await reader.document("product", "MUG")).document is not None
        await reader.close()

    uvloop.run(asking())  # The loop that processes run on; asyncio's own only warns.


def test_a_document_comes_with_the_position_it_stands_at(shop: Shop, fresh_redis: str) -> None:
    shop.lists("MUG")
    built(shop, catalog.VIEW, fresh_redis).close()

    async def asking(reader: RedisReader) -> None:
        read = await reader.document("product", "MUG")
        assert read.document is not None
        assert msgspec.json.decode(read.document)["sku"] == "MUG"
        assert read.position == 2
        assert await reader.document("product", "CUP") == type(read)(None, 2)

    ask(fresh_redis, asking)


@pytest.mark.parametrize("shards", [1, 5])
def test_documents_come_in_the_order_asked(shop: Shop, fresh_redis: str, shards: int) -> None:
    for sku in "ABCDE":
        shop.lists(sku)
    built(shop, catalog.VIEW, fresh_redis, shards=shards).close()

    async def asking(reader: RedisReader) -> None:
        reads = await reader.documents("product", ["D", "nothing", "A", "E"])
        found = [None if each is None else msgspec.json.decode(each)["sku"] for each in reads.documents]
        assert found == ["D", None, "A", "E"]
        assert reads.position == 10
        assert await reader.documents("product", []) == type(reads)([], 10)

    ask(fresh_redis, asking)


@pytest.mark.parametrize("shards", [1, 3])
def test_customers_orders_days_and_bestsellers_come_in_order(
    shop: Shop, fresh_redis: str, shards: int
) -> None:
    for sku in ("MUG", "CUP", "POT"):
        shop.lists(sku)
    for number in range(5):
        shop.places(f"o{number}", {"MUG": 2, "CUP": 1}, customer_id="c-1")
    shop.places("guest", {"POT": 20})
    for view in (customer_orders.VIEW, sales.VIEW, bestsellers.VIEW):
        built(shop, view, fresh_redis, shards=shards).close()

    async def asking(reader: RedisReader) -> None:
        newest = await reader.newest_entries("customer_orders", "c-1", limit=3)
        assert [member for member, _ in newest.members] == ["o4", "o3", "o2"]
        older = await reader.newest_entries("customer_orders", "c-1", limit=3, below=newest.members[-1][1])
        assert [member for member, _ in older.members] == ["o1", "o0"]
        assert (await reader.newest_entries("customer_orders", "nobody", limit=3)).members == []
        top = await reader.ranking("bestsellers", bestsellers.UNITS, limit=2)
        assert top.members == [("POT", 20), ("MUG", 10)]
        rest = await reader.ranking("bestsellers", bestsellers.UNITS, after=top.members[-1][::-1], limit=2)
        assert rest.members == [("CUP", 5)]
        days = await reader.ranking_between("sales", sales.DAYS, 20260101, 20261231, limit=10)
        assert days == Entries([("2026-03-01", 20260301)], shop.log.head())
        none = await reader.ranking_between("sales", sales.DAYS, 20260302, 20261231, limit=10)
        assert none.members == []

    ask(fresh_redis, asking)


def test_a_view_without_a_pointer_is_not_ready(fresh_redis: str) -> None:
    async def asking(reader: RedisReader) -> None:
        with pytest.raises(ViewNotReady):
            await reader.document("product", "MUG")
        with pytest.raises(ViewNotReady):
            await reader.wait_for("product", "MUG", 1, 0.1)

    ask(fresh_redis, asking)


def test_an_emptied_store_is_not_ready_rather_than_empty(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.lists("MUG")
    built(shop, catalog.VIEW, fresh_redis).close()

    async def asking(reader: RedisReader) -> None:
        await reader.document("product", "MUG")
        redis.flushall()
        with pytest.raises(ViewNotReady):
            await reader.document("product", "MUG")

    ask(fresh_redis, asking)


def test_readers_follow_a_switch_once_the_version_that_they_know_is_deleted(
    shop: Shop, fresh_redis: str
) -> None:
    shop.lists("MUG")
    live = built(shop, catalog.VIEW, fresh_redis)

    async def asking(reader: RedisReader) -> None:
        before = await reader.document("product", "MUG")
        newer = live.beside()
        newer.apply(decoded(shop.log), up_to=2, tailing=True)
        newer.settle(may_hold_back=False)
        newer.publish()
        newer.close()
        for _ in delete_version(RedisStore(fresh_redis), ViewKeys("product", version=1, shards=1)):
            pass
        assert await reader.document("product", "MUG") == before
        assert (await reader.pointer("product")).version == 2

    ask(fresh_redis, asking)
    live.close()


def test_waiting_ends_when_the_position_is_reached_or_the_time_is_over(shop: Shop, fresh_redis: str) -> None:
    shop.lists("MUG")
    build = built(shop, orders.VIEW, fresh_redis)

    async def asking(reader: RedisReader) -> None:
        started = time.monotonic()
        assert await reader.wait_for("order", "o1", 3, 0.15) == 2
        assert 0.15 <= time.monotonic() - started < SECONDS_MAX / 2
        waiting = [
            asyncio.create_task(reader.wait_for("order", key, 3, SECONDS_MAX)) for key in ("o1", "o2", None)
        ]
        waiting[1].cancel()
        await asyncio.sleep(0.02)  # Absence: it is not reached yet.
        assert not waiting[0].done()
        build.apply((), up_to=3, tailing=True)
        build.settle(may_hold_back=False)
        assert await waiting[0] == 3
        assert await waiting[2] == 3

    ask(fresh_redis, asking)
    build.close()


def test_an_absent_store_is_unavailable_at_once() -> None:
    async def asking(reader: RedisReader) -> None:
        started = time.monotonic()
        with pytest.raises(ReadStoreUnavailable):
            await reader.document("product", "MUG")
        with pytest.raises(ReadStoreUnavailable):
            await reader.ping()
        assert time.monotonic() - started < SECONDS_MAX / 2

    ask("unix:///nowhere/redis.sock", asking)
