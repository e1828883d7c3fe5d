"""An event that a view cannot take in stops that view before it, and no other."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from redis import Redis

from event_store.memory.log import MemoryLog
from event_store.records import NewEvent
from projections.builds import all_builds
from projections.documents.errors import ViewNotReady
from projections.documents.redis_reader import RedisReader
from projections.documents.stops import Stop
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.metrics import ProjectorMetrics
from projections.engine.rebuild import Progress
from projections.engine.runner import Runner
from projections.redis.build import RedisBuild
from projections.redis.stops import RedisStops
from projections.redis.store import RedisStore
from projections.status import standing
from projections.tantivy import opened
from projections.tantivy.build import TantivyBuild
from projections.views import catalog, inventory
from projections.views.registry import VIEWS
from projections.views.search import IndexedProduct
from projections.views.view import DocumentView
from tests.projections.memory_views import differences
from tests.projections.running import eventually, new_runner, running, views_reach
from tests.shop.facts import CODEC, listed
from tests.shop.log import Shop

LISTED = "catalog.product_listed"
BROKEN = NewEvent("product-BROKEN", LISTED, 1, b'{"sku":7}')
"""Of a known type, wanted by the product page, the stock and the search index; it does not decode."""


def failing(view: DocumentView[Any], sku: str, *, where: str) -> DocumentView[Any]:
    """The view with code that fails at every event of one SKU."""

    def facts(event: Any, recorded: Any) -> Any:
        if where == "facts" and getattr(event, "sku", None) == sku:
            raise ZeroDivisionError("no such\nratio")
        return view.facts(event, recorded)

    def evolve(key: str, document: Any, fact: Any, recorded: Any) -> Any:
        if where == "evolve" and key == sku:
            raise ZeroDivisionError("no such\nratio")
        return view.evolve(key, document, fact, recorded)

    return dataclasses.replace(view, facts=facts, evolve=evolve)


def position_of(url: str, view: str) -> int:
    store = RedisStore(url)
    try:
        return standing(store, view).position
    finally:
        store.close()


def wanting_listings() -> set[str]:
    (listed,) = (one for one in catalog.VIEW.events if one.__name__ == "ProductListed")
    return {view.name for view in VIEWS if listed in view.events} | {"search"}


def test_an_event_that_does_not_decode_stops_the_views_that_want_it(
    shop: Shop, fresh_redis: str, tmp_path: Path
) -> None:
    shop.bustle(orders=5)
    before = shop.flush()
    shop.records_raw(BROKEN)
    shop.flush()
    shop.bustle(orders=5, seed=2)
    head = shop.flush()
    runner = new_runner(shop.log, all_builds(fresh_redis, tmp_path, shop.log))
    stopped = wanting_listings()
    going = {view.name for view in VIEWS} - stopped
    assert {"product", "search"} <= stopped
    assert {"order", "sales"} <= going
    with structlog.testing.capture_logs() as lines, running(runner):
        eventually(lambda: {stop.view for stop in runner.stops} == stopped, "they have stopped")
        eventually(lambda: all(position_of(fresh_redis, view) == head for view in going), "others go on")
        assert position_of(fresh_redis, "product") == before, "read on as it stands"
        assert TantivyReader(tmp_path / "index").position() == before

    (line,) = [
        line for line in lines if line["event"].startswith("view stopped") and line["view"] == "product"
    ]
    assert (line["log_level"], line["position"], line["event_type"]) == (
        "error",
        before,
        "catalog.product_listed",
    )
    assert f"position {before + 1}" in line["reason"]


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("where", ["facts", "evolve"])
def test_code_that_fails_at_an_event_stops_its_view_before_it(
    shop: Shop, fresh_redis: str, where: str, shards: int
) -> None:
    shop.bustle(orders=5)
    before = shop.flush()
    shop.lists("POISON")
    shop.bustle(orders=5, seed=2)
    head = shop.flush()
    views = [failing(inventory.VIEW, "POISON", where=where), catalog.VIEW]
    runner = new_runner(shop.log, [RedisBuild(view, fresh_redis, shop.log, shards=shards) for view in views])
    events = shop.log.read_all(after=before, limit=99)
    first = next(one for one in events if CODEC.class_of(one.type) in inventory.VIEW.events)
    with running(runner):
        eventually(lambda: len(runner.stops) == 1, "one has stopped")
        eventually(lambda: position_of(fresh_redis, "product") == head, "the other goes on")
        (stop,) = runner.stops
        assert (stop.view, stop.position, stop.event_type) == ("inventory", first.position - 1, first.type)
        assert stop.reason == "ZeroDivisionError: no such ratio"
        assert position_of(fresh_redis, "inventory") == stop.position, "and is read"


def test_a_product_that_the_engine_cannot_take_stops_the_index_before_it(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_document = opened.index_document

    def failing_at_poison(product: IndexedProduct, normalizer: Any) -> Any:
        if product.page.sku == "POISON":
            raise OverflowError("too long")
        return index_document(product, normalizer)

    shop.bustle(orders=5)
    shop.record((listed("POISON"),))
    shop.bustle(orders=5, seed=2)
    head = shop.flush()
    poison = next(one for one in shop.log.read_all(after=0, limit=999) if b'"POISON"' in one.data).position
    monkeypatch.setattr(opened, "index_document", failing_at_poison)

    def position() -> int | None:
        try:
            return TantivyReader(tmp_path).position()
        except ViewNotReady:
            return None

    runner = new_runner(shop.log, [TantivyBuild(tmp_path, shop.log)])
    with running(runner):
        eventually(lambda: len(runner.stops) == 1, "stopped")
        (stop,) = runner.stops
        assert (stop.position, stop.event_type, stop.reason) == (
            poison - 1,
            LISTED,
            "OverflowError: too long",
        )
        eventually(lambda: position() == poison - 1, "published and read, since nothing was read before")
    monkeypatch.undo()
    with running(new_runner(shop.log, [TantivyBuild(tmp_path, shop.log)])):
        eventually(lambda: position() == head, "caught up")


def test_a_view_that_was_mended_goes_on_after_a_restart(shop: Shop, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    shop.lists("POISON")
    shop.bustle(orders=5, seed=2)
    head = shop.flush()
    broken = failing(inventory.VIEW, "POISON", where="evolve")
    runner = new_runner(shop.log, [RedisBuild(broken, fresh_redis, shop.log, shards=3)])
    with running(runner):
        eventually(lambda: len(runner.stops) == 1, "stopped")
    with running(new_runner(shop.log, [RedisBuild(inventory.VIEW, fresh_redis, shop.log, shards=3)])):
        eventually(lambda: position_of(fresh_redis, "inventory") == head, "caught up")
    assert differences(shop.log, CODEC, fresh_redis, inventory.VIEW) == []


def test_retry_takes_in_what_can_be_taken_in_now_and_says_where_it_stopped_again(
    shop: Shop, fresh_redis: str
) -> None:
    is_broken = True

    def evolve(key: str, document: Any, fact: Any, recorded: Any) -> Any:
        if is_broken and key == "POISON":
            raise KeyError("color")
        return catalog.VIEW.evolve(key, document, fact, recorded)

    shop.bustle(orders=5)
    before = shop.flush()
    shop.lists("POISON")
    shop.bustle(orders=5, seed=2)
    head = shop.flush()
    view = dataclasses.replace(catalog.VIEW, evolve=evolve)
    registry = CollectorRegistry()
    runner = Runner(shop.log, CODEC, [RedisBuild(view, fresh_redis, shop.log)], ProjectorMetrics(registry))
    todo: list[Callable[[], None]] = []

    def poll() -> bool:
        while todo:
            todo.pop()()
        return True

    def retried() -> Progress:
        reported: list[Progress] = []
        todo.append(lambda: runner.request("retry", "product", reported.append))
        eventually(lambda: bool(reported) and reported[-1].is_over, "over")
        return reported[-1]

    def gauge() -> float | None:
        return registry.get_sample_value("daybook_view_stopped", {"view": "product", "version": "1"})

    with running(runner, poll):
        eventually(lambda: len(runner.stops) == 1, "stopped")
        eventually(lambda: gauge() == 1, "shown")
        again = retried()
        assert again.state == "failed"
        assert (
            again.reason == f"stopped at {before}: catalog.product_listed at {before + 1}: KeyError: 'color'"
        )
        assert position_of(fresh_redis, "product") == before
        is_broken = False
        assert retried().state == "done"
        assert position_of(fresh_redis, "product") == head
        eventually(lambda: gauge() == 0, "no longer shown")
        assert runner.stops == []
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


def test_a_stop_survives_an_emptied_store(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=5)
    before = shop.flush()
    shop.records_raw(BROKEN)
    shop.flush()
    runner = new_runner(shop.log, [RedisBuild(catalog.VIEW, fresh_redis, shop.log)])
    with running(runner):
        eventually(lambda: len(runner.stops) == 1, "stopped")
        redis.flushall()
        eventually(lambda: redis.get("view:product") is not None, "built anew")
        eventually(lambda: len(runner.stops) == 1, "stopped again")
        assert position_of(fresh_redis, "product") == before


def test_an_event_of_a_type_that_nobody_knows_is_logged_and_stops_no_view(
    shop: Shop, fresh_redis: str
) -> None:
    shop.lists("MUG")
    shop.records_raw(NewEvent("mystery-1", "mystery.happened", 1, b"{}"))
    shop.lists("CUP")
    head = shop.flush()
    builds = [RedisBuild(view, fresh_redis, shop.log) for view in VIEWS]
    with structlog.testing.capture_logs() as lines, running(new_runner(shop.log, builds)):
        views_reach(fresh_redis, head)

    unknown = [line for line in lines if line["event"].startswith("event of an unknown type")]
    assert {(line["log_level"], line["position"]) for line in unknown} == {("error", 3)}


def test_another_history_without_the_event_is_taken_in(fresh_redis: str) -> None:
    poisoned, clean = Shop(MemoryLog()), Shop(MemoryLog())
    poisoned.lists("MUG")
    poisoned.records_raw(BROKEN)
    poisoned.flush()
    clean.lists("CUP")
    clean.lists("MUG")
    head = clean.flush()

    class Restorable(MemoryLog):
        log: MemoryLog = poisoned.log  # type: ignore[assignment]

        def read_all(self, **arguments: Any) -> Any:
            return self.log.read_all(**arguments)

        def head(self) -> int:
            return self.log.head()

        def wait(self, *, after: int, timeout_seconds: float) -> int:
            return self.log.wait(after=after, timeout_seconds=timeout_seconds)

    log = Restorable()
    runner = new_runner(log, [RedisBuild(catalog.VIEW, fresh_redis, log)])
    with running(runner):
        eventually(lambda: len(runner.stops) == 1, "stopped")
        log.log = clean.log  # type: ignore[assignment]
        eventually(lambda: position_of(fresh_redis, "product") == head, "of the history that is there now")
    assert differences(clean.log, CODEC, fresh_redis, catalog.VIEW) == []


def test_readers_find_which_views_have_stopped(fresh_redis: str, redis: Redis) -> None:
    stop = Stop("product", 1, 41, LISTED, "KeyError: 'color'")

    async def found() -> list[Stop]:
        reader = RedisReader(fresh_redis)
        try:
            return await reader.stops()
        finally:
            await reader.close()

    stops = RedisStops(fresh_redis)
    stops.show(stop)
    assert asyncio.run(found()) == [stop]
    assert stops.shown() == {("product", 1): stop}
    redis.hset("projector:stopped", "order", "garbage")
    assert asyncio.run(found()) == [stop]
    stops.take_off(("product", 1))
    assert asyncio.run(found()) == []
    redis.set("projector:stopped", "no hash")
    assert stops.shown() == {}
    stops.close()
