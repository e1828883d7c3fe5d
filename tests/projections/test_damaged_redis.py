"""A Redis that holds what nobody of ours wrote counts as one that lost it: not read, and built anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
import structlog
from prometheus_client import CollectorRegistry
from redis import Redis

from aggregates.inventory import stock
from projections.documents.errors import ReadError
from projections.documents.redis_reader import RedisReader
from projections.engine.metrics import ProjectorMetrics
from projections.engine.runner import Runner
from projections.redis.build import RedisBuild
from projections.views import catalog, customer_orders, orders
from projections.views.view import View
from tests.projections.memory_views import differences
from tests.shop.facts import CODEC
from tests.shop.log import Shop

Damage = Callable[[Redis, str, bytes], None]
"""Given the client, the view's name, and what its live version's keys begin with."""


def of_another_type(redis: Redis, key: bytes | str) -> None:
    redis.delete(key)
    redis.rpush(key, "a", "stranger's", "list")


def pointer_of_another_type(redis: Redis, view: str, _: bytes) -> None:
    of_another_type(redis, f"view:{view}")


def pointer_garbage(redis: Redis, view: str, _: bytes) -> None:
    redis.set(f"view:{view}", b"\xff{")


def pointer_elsewhere(redis: Redis, view: str, _: bytes) -> None:
    redis.set(f"view:{view}", b'{"version":77,"shards":3,"model":1}')


def record_of_another_type(redis: Redis, view: str, _: bytes) -> None:
    of_another_type(redis, f"{{view:{view}}}:record")


def checkpoint_of_another_type(redis: Redis, _: str, prefix: bytes) -> None:
    of_another_type(redis, prefix + b"checkpoint")


def checkpoint_garbage(redis: Redis, _: str, prefix: bytes) -> None:
    redis.set(prefix + b"checkpoint", "007")


def checkpoint_emptied(redis: Redis, _: str, prefix: bytes) -> None:
    redis.set(prefix + b"checkpoint", "")


def event_of_another_type(redis: Redis, _: str, prefix: bytes) -> None:
    of_another_type(redis, prefix + b":checkpoint event")


def everything_of_another_type(redis: Redis, _view: str, _prefix: bytes) -> None:
    for key in redis.scan_iter():
        of_another_type(redis, key)


def everything_overwritten(redis: Redis, _view: str, _prefix: bytes) -> None:
    for key in redis.scan_iter():
        redis.set(key, os.urandom(20))


def emptied(redis: Redis, _view: str, _prefix: bytes) -> None:
    redis.flushall()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.engine.runner.Runner.idle_seconds", 0.0)


NOTICED = [
    *(pointer_of_another_type, pointer_garbage, pointer_elsewhere, record_of_another_type),
    *(checkpoint_of_another_type, checkpoint_garbage, checkpoint_emptied, event_of_another_type),
    *(everything_of_another_type, everything_overwritten, emptied),
]


def runner(shop: Shop, view: View, url: str) -> Runner:
    return Runner(shop.log, CODEC, [RedisBuild(view, url, shop.log)], ProjectorMetrics(CollectorRegistry()))


def run(runner: Runner, *, steps: int = 8) -> None:
    """Without its pauses; it looks round each time."""
    for _ in range(steps):
        for lane in runner._lanes:
            lane._retry_at = 0.0
        runner._check()
        runner.step()


def prefix_of(redis: Redis, view: str) -> bytes:
    (checkpoint,) = redis.scan_iter(f"{{{view}.v*}}:checkpoint")
    return checkpoint.removesuffix(b"checkpoint")


def readable(url: str, view: str, key: str) -> bool:
    async def is_served() -> bool:
        reader = RedisReader(url)
        try:
            return (await reader.document(view, key)).document is not None
        except ReadError:
            return False
        finally:
            await reader.close()

    return asyncio.run(is_served())


@pytest.mark.parametrize("damage", NOTICED)
def test_damage_is_noticed_without_an_event_and_the_view_built_anew(
    shop: Shop, redis: Redis, fresh_redis: str, damage: Damage
) -> None:
    shop.bustle(orders=5)
    shop.lists("MUG")
    shop.flush()
    projector = runner(shop, catalog.VIEW, fresh_redis)
    run(projector)
    assert readable(fresh_redis, "product", "MUG")
    damage(redis, "product", prefix_of(redis, "product"))
    if damage not in {event_of_another_type, record_of_another_type}:  # Readers have no use for those.
        assert not readable(fresh_redis, "product", "MUG")
    run(projector)
    assert readable(fresh_redis, "product", "MUG")
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


@pytest.mark.parametrize("damage", NOTICED)
def test_damage_is_noticed_by_a_projector_that_starts(
    shop: Shop, redis: Redis, fresh_redis: str, damage: Damage
) -> None:
    shop.bustle(orders=5)
    shop.flush()
    run(runner(shop, orders.VIEW, fresh_redis))
    damage(redis, "order", prefix_of(redis, "order"))
    run(runner(shop, orders.VIEW, fresh_redis))
    assert differences(shop.log, CODEC, fresh_redis, orders.VIEW) == []


@pytest.mark.parametrize("content", [b"garbage", b"", b"{}", bytes(9), None], ids=repr)
def test_a_damaged_document_is_not_served_and_the_view_built_anew_once_it_is_needed(
    shop: Shop, redis: Redis, fresh_redis: str, content: bytes | None
) -> None:
    shop.lists("MUG")
    shop.lists("CUP")
    shop.flush()
    run(runner(shop, catalog.VIEW, fresh_redis))
    place = prefix_of(redis, "product") + b"MUG"
    of_another_type(redis, place) if content is None else redis.set(place, content)
    if content != b"{}":
        assert not readable(fresh_redis, "product", "MUG")
    assert readable(fresh_redis, "product", "CUP")

    shop.record(shop.decide(stock.receive, sku="MUG", quantity=3, reason="delivery"))
    shop.flush()
    with structlog.testing.capture_logs() as lines:
        run(runner(shop, catalog.VIEW, fresh_redis))

    assert "view is damaged: built anew" in [line["event"] for line in lines if line["log_level"] == "error"]
    assert readable(fresh_redis, "product", "MUG")
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


def test_a_sorted_set_that_is_none_any_more_is_built_anew(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    shop.flush()
    projector = runner(shop, customer_orders.VIEW, fresh_redis)
    run(projector)
    for key in redis.keys(b"{customer_orders.v*}:*"):
        if not key.endswith((b"checkpoint", b"event")):
            redis.set(key, "no set")
    shop.bustle(orders=5, seed=7)
    shop.flush()
    run(projector)
    assert differences(shop.log, CODEC, fresh_redis, customer_orders.VIEW) == []
