"""The runner keeps every view at the log's head, whatever happens to the stores."""

from __future__ import annotations

import json
import threading

import msgspec
import pytest
from redis import Redis

from event_store.errors import LogGap, StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from projections.documents.errors import ViewNotReady
from projections.documents.keys import Pointer, ViewKeys
from projections.redis.build import RedisBuild
from projections.views import sales_hours
from projections.views.time_zone import time_zone
from tests.projections.memory_views import differences
from tests.projections.running import (
    eventually,
    new_runner,
    redis_builds,
    running,
    views_equal_a_rebuild,
    views_reach,
)
from tests.shop.facts import CODEC
from tests.shop.log import Shop


def test_an_empty_shop_has_its_pointers_at_once(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, 0)

    assert redis.get("{product.v1.0}:checkpoint") == b"0"


@pytest.mark.parametrize("shards", [1, 3])
def test_views_follow_the_log(shop: Shop, fresh_redis: str, shards: int) -> None:
    shop.bustle(orders=10)
    shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log, shards))):
        for seed in range(5):
            shop.bustle(orders=10, seed=seed)
            views_reach(fresh_redis, shop.flush())

    views_equal_a_rebuild(shop.log, fresh_redis)


def test_a_restarted_projector_goes_on_where_it_was(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        shop.bustle(orders=5)
        views_reach(fresh_redis, shop.flush())
    shop.bustle(orders=5)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, head)

    views_equal_a_rebuild(shop.log, fresh_redis)
    assert json.loads(redis.get("view:product"))["version"] == 1


def test_redis_emptied_while_idle_is_rebuilt_and_never_half_a_view_shown(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    shop.bustle(orders=300)
    head = shop.flush()
    positions_shown: list[int] = []
    looking = threading.Event()

    def look() -> None:
        checkpoints = [ViewKeys("order", version, 1).checkpoint(0) for version in (1, 2)]
        with Redis.from_url(fresh_redis) as reader:
            while not looking.wait(0.001):
                pointer, *found = reader.mget("view:order", *checkpoints)
                if found[0] is not None:  # to whoever still trusts the pointer to what was emptied
                    positions_shown.append(int(found[0]))
                if pointer is not None:
                    positions_shown.append(int(found[json.loads(pointer)["version"] - 1] or -1))

    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, head)
        redis.flushall()
        watcher = threading.Thread(target=look)
        watcher.start()
        views_reach(fresh_redis, head)
        eventually(lambda: bool(positions_shown), "the order view is read again")
        looking.set()
        watcher.join()

    assert set(positions_shown) == {head}
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_redis_emptied_under_writes(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        for round_ in range(6):
            shop.bustle(orders=20, seed=round_)
            head = shop.flush()
            if round_ % 2:
                redis.flushall()
        views_reach(fresh_redis, head)

    views_equal_a_rebuild(shop.log, fresh_redis)


def test_another_read_model_is_built_beside_the_old_one(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, head)
    redis.set("view:product", msgspec.json.encode(Pointer(1, 1, model=99)))

    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        eventually(lambda: json.loads(redis.get("view:product"))["version"] == 2, "version 2 is live")

    assert json.loads(redis.get("{view:product}:record"))["kept"]["model"] == 99
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_another_time_zone_is_built_beside_the_old_one(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=20)
    shop.flush()

    def live_with(zone: str) -> set[str]:
        """The local offsets of the hours, once they are those of the zone."""
        view = sales_hours.view(time_zone(zone))
        with running(new_runner(shop.log, [RedisBuild(view, fresh_redis, shop.log)])):
            eventually(
                lambda: json.loads(redis.get("view:sales_hours") or b"{}").get("model") == view.model,
                f"{zone} is live",
            )
        assert differences(shop.log, CODEC, fresh_redis, view) == []
        version = json.loads(redis.get("view:sales_hours"))["version"]
        keys = redis.keys(f"{{sales_hours.v{version}.0}}:20*")
        return {row["local"][-6:] for key in keys for row in json.loads(redis.get(key))["rows"]}

    assert live_with("UTC") == {"+00:00"}
    assert live_with("Asia/Kathmandu") == {"+05:45"}


def test_another_number_of_shards_is_a_rebuild(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log, shards=1))):
        views_reach(fresh_redis, head)
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log, shards=4))):
        eventually(lambda: json.loads(redis.get("view:bestsellers"))["shards"] == 4, "cut into 4")
        views_reach(fresh_redis, head)

    views_equal_a_rebuild(shop.log, fresh_redis)


def test_a_view_ahead_of_the_log_is_built_anew(shop: Shop, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, shop.flush())
    restored = Shop(MemoryLog())
    restored.lists("MUG")
    restored.flush()
    with running(new_runner(restored.log, redis_builds(fresh_redis, restored.log))):
        eventually(lambda: _equal(restored, fresh_redis), "the views of the log that is there")


def test_a_gap_ends_the_runner(shop: Shop, fresh_redis: str) -> None:
    class Gapped(MemoryLog):
        def read_all(self, *, after, limit, types=(), up_to=None) -> list[RecordedEvent]:
            raise LogGap("position 3 is missing")

    with pytest.raises(LogGap):
        new_runner(Gapped(), redis_builds(fresh_redis, MemoryLog())).run()


def test_while_the_log_is_away_the_runner_waits(shop: Shop, fresh_redis: str) -> None:
    class Away(MemoryLog):
        is_away = False
        tries = 0

        def read_all(self, *, after, limit, types=(), up_to=None) -> list[RecordedEvent]:
            if self.is_away:
                self.tries += 1
                raise StoreUnavailable("away")
            return super().read_all(after=after, limit=limit, types=types, up_to=up_to)

    log = Away()
    moving = Shop(log)
    with running(new_runner(log, redis_builds(fresh_redis, log))):
        views_reach(fresh_redis, 0)
        log.is_away = True
        moving.bustle(orders=3)
        head = moving.flush()
        eventually(lambda: log.tries > 1, "it was tried again")
        log.is_away = False
        views_reach(fresh_redis, head)

    views_equal_a_rebuild(log, fresh_redis)


def _equal(shop: Shop, url: str) -> bool:
    try:
        views_equal_a_rebuild(shop.log, url)
    except (AssertionError, ViewNotReady, ValueError):
        return False
    return True


def test_a_lost_pointer_alone_is_set_again(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, head)
        redis.delete("view:order")
        views_reach(fresh_redis, head)

    views_equal_a_rebuild(shop.log, fresh_redis)
