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
from tests.shop.log import Shop


def test_a_rebuild_goes_on_beside_the_live_view_under_writes(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    shop.bustle(orders=400)
    head = shop.flush()
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    requested = threading.Event()

    def poll() -> bool:
        if requested.is_set():
            requested.clear()
            for view in ("product", "order", "customer_orders", "sales", "bestsellers"):
                runner.rebuild(view, reported.append)
        return True

    seen: list[int] = []
    with running(runner, poll):
        views_reach(fresh_redis, head)
        requested.set()
        seed = 0
        while sum(progress.is_over for progress in reported) < 5:
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
    over = [progress for progress in reported if progress.is_over]
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
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    head = shop.flush()
    with running(runner):
        views_reach(fresh_redis, head)
    redis.set("{product.v1.0}:MUG", b'{"sku":"tampered"}')
    redis.set("{product.v1.0}:GHOST", b"{}")

    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.rebuild("product", reported.append)
    with running(runner):
        eventually(lambda: bool(reported) and reported[-1].is_over, "rebuilt")

    assert reported[-1].differing_keys == ["GHOST", "MUG"]
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
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    with running(runner):
        views_reach(fresh_redis, head)
        runner.rebuild("order", reported.append)
        eventually(lambda: _over(reported), "given up")
        views_reach(fresh_redis, head)

    assert [progress.state for progress in reported if progress.is_over] == ["failed"]
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
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.rebuild("nonsense", reported.append)
    runner.rebuild("order", reported.append)
    runner.rebuild("order", reported.append)

    assert [(each.state, each.view) for each in reported] == [("failed", "nonsense"), ("failed", "order")]


def test_asked_to_rebuild_a_view_that_is_not_there_yet_it_is_built(
    shop: Shop, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS", 20)
    shop.bustle(orders=5)
    head = shop.flush()
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.rebuild("order", reported.append)
    with running(runner):
        views_reach(fresh_redis, head)
        eventually(lambda: _over(reported), "built")

    assert (reported[-1].state, reported[-1].version, reported[-1].documents) == ("done", 1, None)


def _over(reported: list[Progress]) -> bool:
    return bool(reported) and reported[-1].is_over
