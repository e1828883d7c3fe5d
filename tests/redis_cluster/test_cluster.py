"""The views on a Redis Cluster: nothing crosses slots, and moves and failovers lose nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.redis_reader import RedisReader
from projections.redis.build import RedisBuild
from projections.views import bestsellers, catalog
from tests.conftest import ServerPlace
from tests.projections.projectors import Paths, events_flow, running_workers
from tests.projections.running import (
    new_runner,
    redis_builds,
    running,
    views_equal_a_rebuild,
    views_reach,
)
from tests.redis_cluster.cluster import Cluster, cluster_in
from tests.shop.log import Shop, decoded

SHARDS = 16


@pytest.fixture
def replicated(server_place: ServerPlace, tmp_path: Path) -> Iterator[Cluster]:
    """Three masters of a test's own, with a replica each."""
    folder = server_place.folder / f"cluster-{tmp_path.name}"
    cluster = cluster_in(folder, server_place.binaries.redis_server, replicas=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def shop() -> Shop:
    return Shop(MemoryLog())


def read(url: str, *skus: str) -> list[Any]:
    """The products' pages as the query API reads them, one by one and together."""

    async def ask() -> list[Any]:
        reader = RedisReader(url)
        try:
            alone = [(await reader.document("product", sku)).document for sku in skus]
            together = (await reader.documents("product", skus)).documents
            assert alone == together
            return alone
        finally:
            await reader.close()

    return [None if one is None else msgspec.json.decode(one) for one in asyncio.run(ask())]


def caught_up(build: RedisBuild, shop: Shop) -> None:
    """It has taken in the log's end, and is published."""
    head = shop.flush()
    build.apply(decoded(shop.log)[build.position :], up_to=head, tailing=True)
    build.settle(may_hold_back=False)
    if not build.is_published:
        build.publish()


def test_every_view_on_three_masters_equals_its_rebuild(cluster: Cluster, shop: Shop) -> None:
    shop.bustle(60)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(cluster.url, shop.log, shards=SHARDS))):
        views_reach(cluster.url, head)
    views_equal_a_rebuild(shop.log, cluster.url)
    used = [node.client().dbsize() for node in cluster.nodes]
    assert min(used) > 0, f"all three have some of it: {used}"


def test_readers_find_documents_rankings_and_positions_over_all_masters(cluster: Cluster, shop: Shop) -> None:
    skus = [f"MUG-{number}" for number in range(40)]
    for sku in skus:
        shop.lists(sku)
    for view in (catalog.VIEW, bestsellers.VIEW):
        build = RedisBuild(view, cluster.url, shop.log, shards=SHARDS)
        build.open()
        caught_up(build, shop)
        build.close()
    assert [page["sku"] for page in read(cluster.url, *skus)] == skus

    async def ask() -> None:
        reader = RedisReader(cluster.url)
        try:
            await reader.ping()
            assert await reader.view_position("product") == shop.flush()
            assert (await reader.wait_for("product", "MUG-1", 1, 1.0)) == shop.flush()
            ranking = bestsellers.VIEW.ranking
            assert ranking is not None
            assert (await reader.ranking(bestsellers.VIEW.name, ranking.name, limit=10)).position > 0
        finally:
            await reader.close()

    asyncio.run(ask())


def test_a_slot_that_is_being_moved_and_has_moved_loses_nothing(cluster: Cluster, shop: Shop) -> None:
    shop.lists("MUG")
    build = RedisBuild(catalog.VIEW, cluster.url, shop.log, shards=SHARDS)
    build.open()
    caught_up(build, shop)
    place = build._written.keys.document("MUG")
    slot = cluster.slot_of(place)
    before = cluster.node_of(slot)
    to = next(node for node in cluster.nodes if node is not before)
    cluster.begin_move(slot, to)
    shop.lists("MUG", price="13.00")  # All of its keys lie at the old place.
    caught_up(build, shop)
    assert cluster.move_keys(slot, to) > 0
    shop.lists("MUG", price="14.00")  # All have moved: ASK.
    caught_up(build, shop)
    assert read(cluster.url, "MUG")[0]["price"]["amount"] == 1400
    cluster.end_move(slot, to)
    shop.lists("MUG", price="15.00")  # MOVED.
    caught_up(build, shop)
    assert read(cluster.url, "MUG")[0]["price"]["amount"] == 1500
    fresh = build.beside()
    fresh.apply(decoded(shop.log), up_to=build.position, tailing=True)
    fresh.settle(may_hold_back=False)
    assert build.compare(fresh).differing_keys == []
    fresh.drop()
    build.close()


def test_a_failover_in_mid_batch_loses_nothing(replicated: Cluster, shop: Shop) -> None:
    shop.bustle(30)
    shop.flush()
    log, stop = shop.log, threading.Event()
    with running(new_runner(log, redis_builds(replicated.url, log, shards=SHARDS))):
        views_reach(replicated.url, shop.flush())

        def sell() -> None:
            seed = 2
            while not stop.wait(0.05):
                shop.bustle(3, seed=seed)
                shop.flush()
                seed += 1

        seller = threading.Thread(target=sell)
        seller.start()
        try:
            lost = replicated.nodes[1]
            lost.kill()
            replicated.wait_until_lost(lost)
            replicated.wait_until_whole()
        finally:
            stop.set()
            seller.join()
        head = shop.flush()
        views_reach(replicated.url, head)
    views_equal_a_rebuild(log, replicated.url)


def test_readers_say_that_the_store_is_away_while_a_master_is(replicated: Cluster, shop: Shop) -> None:
    shop.lists("MUG")
    build = RedisBuild(catalog.VIEW, replicated.url, shop.log, shards=SHARDS)
    build.open()
    caught_up(build, shop)
    master = replicated.node_of(replicated.slot_of(build._written.keys.document("MUG")))
    build.close()
    replicated.wait_until_replicated()
    for node in (master, replicated.nodes[replicated.nodes.index(master) + 3]):
        node.kill()
    url = next(node.url for node in replicated.nodes if node.process is not None)
    with pytest.raises((ReadStoreUnavailable, ViewNotReady)):
        read(url, "MUG")
    for node in (master, replicated.nodes[replicated.nodes.index(master) + 3]):
        node.start()
    replicated.wait_until_whole()
    assert read(url, "MUG")[0]["sku"] == "MUG"


@pytest.mark.slow
def test_workers_share_the_shards_on_a_cluster_and_one_is_killed(
    cluster: Cluster, fresh_postgres: str, tmp_path: Path
) -> None:
    paths, log = Paths(fresh_postgres, cluster.url, tmp_path), PostgresLog.open(fresh_postgres)
    with running_workers(paths, log) as workers:
        with events_flow(fresh_postgres):
            workers.start()
            workers.start()
            workers.share_out(among=2)
            workers.all_moves_on()
            workers.leader().kill()
            workers.share_out(among=1)
            workers.all_moves_on()
        views_reach(cluster.url, log.head())
    views_equal_a_rebuild(log, cluster.url)
    log.close()
