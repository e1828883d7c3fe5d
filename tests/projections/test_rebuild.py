"""A view is built anew beside the live one, and readers never see half of it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Executor

import pytest
from redis import Redis

from projections.documents.keys import ViewKeys
from projections.engine.rebuild import Progress, Rebuild
from projections.redis.build import RedisBuild
from projections.views import catalog
from tests.projections.running import (
    eventually,
    new_runner,
    redis_builds,
    running,
    views_equal_a_rebuild,
    views_reach,
)
from tests.projections.shop import Shop


def test_a_rebuild_goes_on_beside_the_live_view_under_writes(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    shop.bustle(orders=400)
    head = shop.flush()
    told: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    asked = threading.Event()

    def look_round() -> bool:
        if asked.is_set():
            asked.clear()
            for view in ("product", "order", "customer_orders", "sales", "bestsellers"):
                runner.rebuild(view, told.append)
        return True

    seen: list[int] = []
    with running(runner, look_round):
        views_reach(fresh_redis, head)
        asked.set()
        seed = 0
        while sum(progress.is_over for progress in told) < 5:
            seed += 1
            assert seed < 500
            shop.bustle(orders=3, seed=seed)
            head = shop.flush()
            pointer = json.loads(redis.get("view:order"))
            checkpoint = redis.get(ViewKeys("order", pointer["version"], 1).checkpoint(0))
            if checkpoint is not None:
                seen.append(int(checkpoint))
        views_reach(fresh_redis, head)

    assert seen == sorted(seen), "readers never went back in time"
    assert len(set(seen)) > 1, "the view moved while it was looked at"
    over = [progress for progress in told if progress.is_over]
    assert [progress.state for progress in over] == ["done"] * 5, over
    assert all(progress.version == 2 and progress.differing_keys == [] for progress in over), over
    assert all(progress.documents for progress in over)
    assert redis.keys("{order.v1.*") == []
    assert redis.keys("building:*") == []
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_a_rebuild_tells_which_documents_differed_and_puts_them_right(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    shop.lists("MUG")
    shop.lists("CUP")
    told: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    head = shop.flush()
    with running(runner):
        views_reach(fresh_redis, head)
    redis.set("{product.v1.0}:MUG", b'{"sku":"tampered"}')
    redis.set("{product.v1.0}:GHOST", b"{}")

    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.rebuild("product", told.append)
    with running(runner):
        eventually(lambda: bool(told) and told[-1].is_over, "rebuilt")

    assert told[-1].differing_keys == ["GHOST", "MUG"]
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_a_rebuild_whose_store_is_emptied_is_given_up_and_the_view_still_comes_back(
    shop: Shop, redis: Redis, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = Rebuild._compare

    def compare_what_was_emptied(rebuild: Rebuild, executor: Executor) -> None:
        redis.flushall()
        compare(rebuild, executor)

    monkeypatch.setattr(Rebuild, "_compare", compare_what_was_emptied)
    shop.bustle(orders=20)
    head = shop.flush()
    told: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    with running(runner):
        views_reach(fresh_redis, head)
        runner.rebuild("order", told.append)
        eventually(lambda: _over(told), "given up")
        views_reach(fresh_redis, head)

    assert [progress.state for progress in told if progress.is_over] == ["failed"]
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_what_a_killed_rebuild_left_is_cleared_away(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, head)
    live = RedisBuild(catalog.VIEW, fresh_redis, shop.log)
    live.open()
    beside = live.beside()
    beside.apply((), up_to=3, tailing=False)
    beside.settle(may_hold_back=False)
    live.close()
    beside.close()
    assert redis.keys("{product.v2.*") != []

    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        eventually(lambda: redis.keys("{product.v2.*") == [], "cleared away")

    views_equal_a_rebuild(shop.log, fresh_redis)


def test_unknown_views_and_second_requests_are_refused(shop: Shop, fresh_redis: str) -> None:
    told: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.rebuild("nonsense", told.append)
    runner.rebuild("order", told.append)
    runner.rebuild("order", told.append)

    assert [(each.state, each.view) for each in told] == [("failed", "nonsense"), ("failed", "order")]


def test_asked_to_rebuild_a_view_that_is_not_there_yet_it_is_built(
    shop: Shop, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS", 20)
    shop.bustle(orders=5)
    head = shop.flush()
    told: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.rebuild("order", told.append)
    with running(runner):
        views_reach(fresh_redis, head)
        eventually(lambda: _over(told), "built")

    assert (told[-1].state, told[-1].version, told[-1].documents) == ("done", 1, None)


def _over(told: list[Progress]) -> bool:
    return bool(told) and told[-1].is_over
