"""The version that was read before is kept: caught up and read again on request, deleted later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from event_store.memory.log import MemoryLog
from projections.engine.build import Build
from projections.engine.rebuild import Action, Progress
from projections.engine.runner import Runner
from projections.redis.build import RedisBuild
from projections.views import catalog
from tests.projections.memory_views import differences
from tests.projections.running import eventually, new_runner, running
from tests.shop.facts import CODEC
from tests.shop.log import Shop


@contextmanager
def following(builds: list[Build], log: Any) -> Iterator[Callable[[Action, str], Progress]]:
    """A projector runs meanwhile; what is called requests something, waits until it is over, and says how."""
    runner = new_runner(log, builds)
    todo: list[Callable[[], None]] = []

    def poll() -> bool:
        while todo:
            todo.pop()()
        return True

    def requested(action: Action, view: str) -> Progress:
        reported: list[Progress] = []
        todo.append(lambda: runner.request(action, view, reported.append))
        eventually(lambda: bool(reported) and reported[-1].is_over, f"{action} of {view}")
        return reported[-1]

    with running(runner, poll):
        yield requested


def live(redis: Redis, view: str = "product") -> dict[str, Any]:
    return json.loads(redis.get(f"view:{view}") or "{}")


def kept(redis: Redis, view: str = "product") -> int | None:
    found = json.loads(redis.get(f"{{view:{view}}}:record") or "{}").get("kept")
    return None if found is None else int(found["version"])


def reaches(redis: Redis, head: int, view: str = "product") -> None:
    def reached() -> bool:
        pointer = live(redis, view)
        prefix = f"{{{view}.v{pointer.get('version')}"
        checkpoints = redis.mget(
            [f"{prefix}.{shard}}}:checkpoint" for shard in range(pointer.get("shards", 1))]
        )
        return all(one is not None and int(one) >= head for one in checkpoints)

    eventually(reached, f"{view} at {head}")


def test_a_version_of_another_history_is_not_turned_back_to(redis: Redis, fresh_redis: str) -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=5)
    head = shop.flush()
    with following([RedisBuild(catalog.VIEW, fresh_redis, shop.log)], shop.log) as requested:
        reaches(redis, head)
        requested("rebuild", "product")
        redis.set("{product.v1.0}::checkpoint event", "of another history")
        refused = requested("rollback", "product")
        assert refused.reason == "the version that is kept is of another history of the log"
        assert (live(redis)["version"], kept(redis)) == (2, 1)
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


def test_a_version_is_kept_for_a_while_only(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    runner = new_runner(shop.log, [RedisBuild(catalog.VIEW, fresh_redis, shop.log)])
    runner._kept_seconds = 0
    reported: list[Progress] = []
    with running(runner):
        reaches(redis, head)
        runner.request("rebuild", "product", reported.append)
        eventually(lambda: bool(reported) and reported[-1].is_over, "rebuilt")
        eventually(lambda: redis.keys("{product.v1.*") == [], "dropped")
    assert kept(redis) is None


def test_a_runner_of_no_views_is_asked_in_vain() -> None:
    runner: Runner = new_runner(MemoryLog(), [])
    for action in ("rebuild", "rollback", "retry", "drop"):
        reported: list[Progress] = []
        runner.request(action, "product", reported.append)
        assert reported[-1].reason == "there is no view product"
