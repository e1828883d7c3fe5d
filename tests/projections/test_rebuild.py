"""A view is built anew beside the live one, and readers never see half of it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import threading
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aggregates.inventory import stock
from projections.builds import all_builds
from projections.documents.keys import ViewKeys
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.build import Candidates
from projections.engine.rebuild import Progress, Rebuild
from projections.redis.build import RedisBuild
from projections.redis.store import RedisStore
from projections.status import standing
from projections.views import bestsellers, catalog
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
from tests.waiting import SECONDS_MAX


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
                runner.request("rebuild", view, reported.append)
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
    assert json.loads(redis.get("{view:order}:record"))["kept"]["version"] == 1
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
    runner.request("rebuild", "product", reported.append)
    with running(runner):
        eventually(lambda: bool(reported) and reported[-1].is_over, "rebuilt")

    assert reported[-1].differing_keys == ["GHOST", "MUG"]
    views_equal_a_rebuild(shop.log, fresh_redis)


@pytest.mark.parametrize("view", ["product", "search"])
def test_the_live_view_goes_on_while_it_is_compared(
    shop: Shop, redis: Redis, fresh_redis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    comparing, may_compare = threading.Event(), threading.Event()
    module = importlib.import_module(f"projections.{'redis' if view == 'product' else 'search'}.build")
    candidates = module.candidates

    def compared_late(*arguments: Any) -> Candidates:
        comparing.set()
        assert may_compare.wait(SECONDS_MAX)
        found: Candidates = candidates(*arguments)
        return found._replace(keys=[*found.keys, "MUG", "CUP"])  # as if both had been written meanwhile

    monkeypatch.setattr(module, "candidates", compared_late)
    shop.lists("MUG")
    shop.lists("CUP")
    shop.bustle(orders=20)
    head = shop.flush()
    builds = [one for one in all_builds(fresh_redis, tmp_path, shop.log) if one.name == view]
    runner = new_runner(shop.log, builds)
    reported: list[Progress] = []

    def position() -> int:
        if view == "search":
            return TantivyReader(tmp_path / "index").position()
        return int(redis.get("{product.v1.0}:checkpoint") or 0)

    with running(runner):
        eventually(lambda: bool(runner._lanes) and builds[0].is_published, "published")
        if view == "product":
            redis.set("{product.v1.0}:GHOST", b"{}")
        runner.request("rebuild", view, reported.append)
        eventually(comparing.is_set, "compared")
        for seed in range(3):
            shop.bustle(orders=5, seed=seed)
            head = shop.flush()
            eventually(lambda: position() == head, "the live version goes on")  # noqa: B023
        may_compare.set()
        shop.bustle(orders=5, seed=9)
        eventually(lambda: _over(reported), "rebuilt")

    assert (reported[-1].state, reported[-1].version) == ("done", 2), reported[-1]
    assert reported[-1].differing_keys == (["GHOST"] if view == "product" else [])


def test_rankings_are_compared(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=20)
    head = shop.flush()
    view = bestsellers.VIEW
    reported: list[Progress] = []
    for damaged in ("a score", "a stranger"):
        runner = new_runner(shop.log, [RedisBuild(view, fresh_redis, shop.log)])
        with running(runner):
            eventually(lambda: _position(fresh_redis, view.name) == head, "there")
        version = json.loads(redis.get(f"view:{view.name}"))["version"]
        ranking = ViewKeys(view.name, version, 1).ranking(view.ranking.name, 0)
        member = redis.zrange(ranking, 0, 0)[0]
        redis.zincrby(ranking, 1, member if damaged == "a score" else "GHOST")
        runner = new_runner(shop.log, [RedisBuild(view, fresh_redis, shop.log)])
        reported.clear()
        runner.request("rebuild", view.name, reported.append)
        with running(runner):
            eventually(lambda: _over(reported), "rebuilt")
        assert reported[-1].differing_keys == [f"ranking {view.ranking.name}"], damaged


def test_a_view_that_has_stopped_on_what_its_store_had_is_put_right_by_a_rebuild(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    def evolve(key: str, document: Any, fact: Any, recorded: Any) -> Any:
        if document is not None and document.title == "tampered":
            raise ValueError("no such product")
        return catalog.VIEW.evolve(key, document, fact, recorded)

    view = dataclasses.replace(catalog.VIEW, evolve=evolve)
    shop.lists("MUG")
    head = shop.flush()
    with running(new_runner(shop.log, [RedisBuild(view, fresh_redis, shop.log)])):
        eventually(lambda: _position(fresh_redis, "product") == head, "there")
    redis.set(
        "{product.v1.0}:MUG", json.dumps(json.loads(redis.get("{product.v1.0}:MUG")) | {"title": "tampered"})
    )
    shop.record(shop.decide(stock.receive, sku="MUG", quantity=3, reason="delivery"))
    reported: list[Progress] = []
    runner = new_runner(shop.log, [RedisBuild(view, fresh_redis, shop.log)])
    stopped_at, head = head, shop.flush()
    with running(runner):
        eventually(lambda: [stop.position for stop in runner.stops] == [stopped_at], "stopped")
        runner.request("rebuild", "product", reported.append)
        eventually(lambda: _over(reported), "rebuilt")
        eventually(lambda: _position(fresh_redis, "product") == head, "and goes on")
    assert (reported[-1].state, reported[-1].differing_keys) == ("done", ["MUG"])
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


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
        runner.request("rebuild", "order", reported.append)
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
    runner.request("rebuild", "nonsense", reported.append)
    runner.request("rebuild", "order", reported.append)
    runner.request("rebuild", "order", reported.append)

    assert [(each.state, each.view) for each in reported] == [("failed", "nonsense"), ("failed", "order")]


def test_asked_to_rebuild_a_view_that_is_not_there_yet_it_is_built(
    shop: Shop, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS", 20)
    shop.bustle(orders=5)
    head = shop.flush()
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))
    runner.request("rebuild", "order", reported.append)
    with running(runner):
        views_reach(fresh_redis, head)
        eventually(lambda: _over(reported), "built")

    assert (reported[-1].state, reported[-1].version, reported[-1].documents) == ("done", 1, None)


def _position(url: str, view: str) -> int:
    store = RedisStore(url)
    try:
        return standing(store, view).position
    finally:
        store.close()


def _over(reported: list[Progress]) -> bool:
    return bool(reported) and reported[-1].is_over
