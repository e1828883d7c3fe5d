"""Documents and checkpoint change together or not at all, whoever else writes."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from event_store.memory.log import MemoryLog
from projections.documents.keys import ViewKeys
from projections.engine.follower import TargetUnavailable
from projections.redis.build import RedisBuild
from projections.redis.store import EvictingStore
from projections.views import catalog
from projections.views.registry import VIEWS
from tests.projections.memory_views import differences
from tests.shop.facts import CODEC
from tests.shop.log import Shop, decoded
from tests.stores.store import delete_gone
from tests.waiting import SECONDS_MAX


def caught_up(build: RedisBuild, shop: Shop) -> None:
    """The build takes in the whole log and is published."""
    shop.flush()
    batch = decoded(shop.log)
    build.apply(batch, up_to=batch[-1].recorded.position, tailing=True)
    build.settle(may_hold_back=False)
    if not build.is_published:
        build.publish()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_batch_half_applied_over_the_shards_counts_once(shop: Shop, view, redis, fresh_redis: str) -> None:
    shop.bustle(orders=15)
    shop.flush()
    batch = decoded(shop.log)
    build = RedisBuild(view, fresh_redis, shop.log, shards=4)
    build.open()
    build.apply(batch[:50], up_to=50, tailing=False)
    build.settle(may_hold_back=False)
    # Shard 2's checkpoint is lost between two writes, its documents are not: the batch is applied again.
    keys = ViewKeys(view.name, 1, 4)
    redis.mset({keys.checkpoint(2): 20, keys.checkpoint_event(2): batch[19].recorded.identity})

    assert build.open() == 20
    caught_up(build, shop)

    assert differences(shop.log, CODEC, fresh_redis, view) == []
    build.close()


def test_a_product_may_bear_the_checkpoints_name(shop: Shop, fresh_redis: str) -> None:
    shop.lists("checkpoint", units=5)
    shop.places("o1", {"checkpoint": 1}, customer_id=":days")
    for view in VIEWS:
        build = RedisBuild(view, fresh_redis, shop.log)
        build.open()
        caught_up(build, shop)
        assert differences(shop.log, CODEC, fresh_redis, view) == [], view.name
        build.close()


def test_a_server_that_evicts_is_refused(redis: Redis, fresh_redis: str) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        build = RedisBuild(catalog.VIEW, fresh_redis, MemoryLog())
        with pytest.raises(EvictingStore, match="noeviction"):
            build.open()
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


def test_a_server_that_forgot_the_script_is_told_it_again(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.lists("MUG")
    build = RedisBuild(catalog.VIEW, fresh_redis, shop.log, shards=3)
    build.open()
    caught_up(build, shop)
    redis.script_flush()
    shop.lists("CUP")
    caught_up(build, shop)

    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []
    build.close()


def test_an_absent_server_is_unavailable() -> None:
    with pytest.raises(TargetUnavailable):
        RedisBuild(catalog.VIEW, "unix:///nowhere/redis.sock", MemoryLog()).open()


def test_what_is_held_in_memory_is_bounded_over_all_views(
    shop: Shop, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.redis.shards._HELD_BYTES_MAX", 40_000)
    shop.bustle(orders=40)
    head = shop.flush()
    batch = decoded(shop.log)
    builds = [RedisBuild(view, fresh_redis, shop.log) for view in VIEWS]
    for build in builds:
        build.open()
        build.apply(batch, up_to=head, tailing=False)
        build.settle(may_hold_back=False)
    held = [build.held_bytes for build in builds]
    assert 0 < sum(held) <= 40_000
    assert max(held) <= 40_000 // len(builds)
    for build in builds:
        build.close()


def test_documents_that_memory_let_go_are_read_back(
    shop: Shop, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.redis.shards._HELD_BYTES_MAX", 2_000)
    shop.bustle(orders=20)
    shop.flush()
    batch = decoded(shop.log)
    for view in VIEWS:
        build = RedisBuild(view, fresh_redis, shop.log)
        build.open()
        for start in range(0, len(batch), 7):
            part = batch[start : start + 7]
            build.apply(part, up_to=part[-1].recorded.position, tailing=False)
            build.settle(may_hold_back=False)
        build.publish()
        assert differences(shop.log, CODEC, fresh_redis, view) == [], view.name
        build.close()


def test_who_still_reads_the_old_version_finds_all_of_it_or_that_it_is_gone(
    shop: Shop, fresh_redis: str
) -> None:
    for number in range(3_000):
        shop.lists(f"S{number}")
    live = RedisBuild(catalog.VIEW, fresh_redis, shop.log)
    live.open()
    caught_up(live, shop)
    newer = live.beside()
    old = ViewKeys("product", 1, 1)
    requested = [old.checkpoint(0), *(old.document(f"S{number}") for number in range(0, 3_000, 10))]
    complete, gone, halves = threading.Event(), threading.Event(), list[int]()

    def read() -> None:
        with Redis.from_url(fresh_redis) as reader:
            while not gone.is_set():
                checkpoint, *documents = reader.mget(requested)
                if checkpoint is None:
                    gone.set()
                elif None in documents:
                    halves.append(documents.count(None))
                else:
                    complete.set()

    batch = decoded(shop.log)
    newer.apply(batch, up_to=len(batch), tailing=True)
    newer.settle(may_hold_back=False)
    reading = threading.Thread(target=read)
    reading.start()
    assert complete.wait(SECONDS_MAX)
    newer.publish()
    delete_gone(newer)
    assert gone.wait(SECONDS_MAX)
    reading.join()

    assert halves == []
    live.close()
    newer.close()
