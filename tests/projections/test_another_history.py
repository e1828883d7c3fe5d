"""The log goes on with other events than a view has taken in: the view is built anew, beside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis

from event_store.records import START
from projections.documents.errors import ViewNotReady
from projections.documents.keys import ViewKeys
from projections.documents.redis_reader import RedisReader
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.follower import TargetMoved
from projections.engine.lane import Lane
from projections.engine.metrics import ProjectorMetrics
from projections.engine.rebuild import Progress
from projections.engine.runner import Runner
from projections.redis.build import RedisBuild
from projections.redis.store import RedisStore
from projections.status import live_keys
from projections.tantivy.build import TantivyBuild
from projections.tantivy.documents import stored_checkpoint
from projections.views import catalog
from projections.views.registry import VIEWS
from tests.projections.running import (
    eventually,
    new_runner,
    redis_builds,
    running,
    views_equal_a_rebuild,
    views_reach,
)
from tests.restored import RestoredLog
from tests.shop.facts import CODEC
from tests.shop.log import Shop, decoded

ORDERS = 12
SHORTER, AS_LONG, LONGER = "shorter", "as long", "longer"


@pytest.fixture
def shop() -> Shop:
    return Shop(RestoredLog())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def goes_on_otherwise(shop: Shop, length: str) -> int:
    """The log loses its last third and goes on with other events; gives the head."""
    head = shop.log.head()
    shop.log.lose(head // 3)
    other = Shop(shop.log)
    other.keys = shop.keys
    if length != SHORTER:
        other.bustle(orders=ORDERS, seed=2)
        other.flush()
    if length == AS_LONG:
        assert shop.log.head() >= head
        shop.log.lose(shop.log.head() - head)
    return shop.log.head()


def index_is_at(folder: Path, shop: Shop) -> None:
    """What readers search names the log's own last event."""
    last = shop.log.read_all(after=shop.log.head() - 1, limit=1)[0].checkpoint
    reader = TantivyReader(folder)

    def reached() -> bool:
        try:
            generation = reader._generation()
        except ViewNotReady:
            return False
        return stored_checkpoint(generation.searcher, generation.queries) == last

    eventually(reached, f"the index at {last}")


def index_equals_a_rebuild(shop: Shop, folder: Path, fresh: Path) -> None:
    live, anew = TantivyBuild(folder, shop.log), TantivyBuild(fresh, RestoredLog())
    anew.open()
    anew.apply(decoded(shop.log), up_to=shop.log.head(), tailing=True)
    anew.settle(may_hold_back=False)
    live.open()
    assert (live.checkpoint, live.compare(anew).differing_keys) == (anew.checkpoint, [])
    live.close()
    anew.close()


@contextmanager
def always_readable(redis: Redis) -> Iterator[None]:
    """Meanwhile every view has a version that readers find whole."""
    missing: list[str] = []
    done = threading.Event()

    def read() -> None:
        store = RedisStore(f"unix://{redis.connection_pool.connection_kwargs['path']}")
        while not done.is_set():
            for view in VIEWS:
                keys = live_keys(store, view.name)
                if None in store.checkpoints(keys) and live_keys(store, view.name) == keys:
                    missing.append(view.name)
        store.close()

    reading = threading.Thread(target=read)
    reading.start()
    try:
        yield
    finally:
        done.set()
        reading.join()
    assert missing == []


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("length", [SHORTER, AS_LONG, LONGER])
@pytest.mark.parametrize("meanwhile", ["running", "stopped"])
def test_views_of_another_history_are_built_anew_beside(
    shop: Shop,
    redis: Redis,
    fresh_redis: str,
    folder: Path,
    tmp_path: Path,
    length: str,
    meanwhile: str,
    shards: int,
) -> None:
    shop.bustle(orders=ORDERS)
    head = shop.flush()

    def builds() -> list[object]:
        return [*redis_builds(fresh_redis, shop.log, shards), TantivyBuild(folder, shop.log)]

    with running(new_runner(shop.log, builds())):
        views_reach(fresh_redis, head)
        index_is_at(folder, shop)
        if meanwhile == "running":
            with always_readable(redis):
                head = goes_on_otherwise(shop, length)
                views_are_at(redis, shop, head)
                index_is_at(folder, shop)
            eventually(lambda: redis.keys("{product.v1.*") == [], "deleted")
    if meanwhile == "stopped":
        head = goes_on_otherwise(shop, length)
        with always_readable(redis), running(new_runner(shop.log, builds())):
            views_are_at(redis, shop, head)
            index_is_at(folder, shop)
            eventually(lambda: redis.keys("{product.v1.*") == [], "deleted")

    views_equal_a_rebuild(shop.log, fresh_redis)
    index_equals_a_rebuild(shop, folder, tmp_path / "fresh")


def views_are_at(redis: Redis, shop: Shop, head: int) -> None:
    """Every view's live checkpoints name the log's own last event."""
    last = shop.log.read_all(after=head - 1, limit=1)[0].checkpoint
    store = RedisStore(f"unix://{redis.connection_pool.connection_kwargs['path']}")
    eventually(
        lambda: all(set(store.checkpoints(live_keys(store, view.name))) == {last} for view in VIEWS),
        f"views at {last}",
    )
    store.close()


def test_a_shard_ahead_of_the_others_is_not_led_on_by_another_history(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    """A crash has left the shards at two places, and the histories part between the two."""
    shop.bustle(orders=ORDERS)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log, 2))):
        views_reach(fresh_redis, head)
    keys = ViewKeys("order", 1, 2)
    behind = shop.log.read_all(after=9, limit=1)[0].checkpoint
    redis.mset({keys.checkpoint(1): behind.position, keys.checkpoint_event(1): behind.event})

    goes_on_otherwise(shop, LONGER)
    order = next(build for build in redis_builds(fresh_redis, shop.log, 2) if build.name == "order")
    order.open()
    assert order.checkpoint == behind
    batch = decoded(shop.log)[10:]
    with pytest.raises(TargetMoved):
        order.apply(batch, up_to=batch[-1].recorded.position, tailing=True)
    order.close()

    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log, 2))):
        views_are_at(redis, shop, shop.log.head())
    views_equal_a_rebuild(shop.log, fresh_redis)


@pytest.mark.parametrize("length", [SHORTER, AS_LONG, LONGER])
def test_a_rebuild_of_another_history_is_not_published(
    shop: Shop, redis: Redis, fresh_redis: str, length: str
) -> None:
    """The log is another one from the very moment that the two versions have met."""
    shop.bustle(orders=ORDERS)
    head = shop.flush()
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log))

    def report(progress: Progress) -> None:
        reported.append(progress)
        if progress.state == "comparing":
            goes_on_otherwise(shop, length)

    with running(runner):
        views_reach(fresh_redis, head)
        runner.request("rebuild", "order", report)
        eventually(lambda: reported != [] and reported[-1].is_over, "over")
        assert reported[-1].state == "failed"
        assert "another history" in str(reported[-1].reason)
        views_are_at(redis, shop, shop.log.head())
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_a_checkpoint_that_names_no_event_is_of_no_history(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    """As code of before has left it."""
    shop.bustle(orders=2)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_reach(fresh_redis, head)
    redis.delete(ViewKeys("order", 1, 1).checkpoint_event(0))
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        views_are_at(redis, shop, head)
        eventually(lambda: redis.keys("{order.v1.*") == [], "deleted")
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_an_empty_view_is_of_every_history(shop: Shop, fresh_redis: str) -> None:
    build = RedisBuild(catalog.VIEW, fresh_redis, shop.log)
    build.open()
    build.publish()
    assert (build.checkpoint, list(build.checkpoints)) == (START, [START])
    build.close()


def test_the_metrics_show_the_versions_that_are_written(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    shop.bustle(orders=2)
    head = shop.flush()
    registry = CollectorRegistry()
    runner = Runner(shop.log, CODEC, redis_builds(fresh_redis, shop.log), ProjectorMetrics(registry))

    def positions_by_version() -> dict[str, float]:
        (positions,) = (metric for metric in registry.collect() if metric.name == "daybook_view_position")
        labels = [(one.labels, one.value) for one in positions.samples]
        return {each["version"]: value for each, value in labels if each["view"] == "order"}

    with running(runner):
        views_reach(fresh_redis, head)
        eventually(lambda: positions_by_version() == {"1": head}, "of the first")
        head = goes_on_otherwise(shop, LONGER)
        views_are_at(redis, shop, head)
        eventually(lambda: positions_by_version() == {"2": head}, "of the one built anew, and of no other")


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed meanwhile"])
def test_until_it_is_built_anew_a_view_of_another_history_stands_nowhere(
    shop: Shop, redis: Redis, fresh_redis: str, folder: Path, killed: bool
) -> None:
    """Else a reader who waits for a position of this history gets one of the other, and misses writes."""
    shop.bustle(orders=ORDERS)
    head = shop.flush()
    with running(
        new_runner(shop.log, [*redis_builds(fresh_redis, shop.log), TantivyBuild(folder, shop.log)])
    ):
        views_reach(fresh_redis, head)
        index_is_at(folder, shop)
    goes_on_otherwise(shop, SHORTER)
    lanes = [
        Lane(build, shop.log)
        for build in (RedisBuild(catalog.VIEW, fresh_redis, shop.log), TantivyBuild(folder, shop.log))
    ]
    for lane in lanes:
        lane.open_when_due()
        assert (lane.build.version, lane.build.is_published) == (2, False)

    async def read() -> tuple[int, int, bool]:
        reader = RedisReader(fresh_redis)
        sku = next(key for key in redis.keys("{product.v1.0}:*") if b":checkpoint" not in key).split(b":")[-1]
        found = await reader.document("product", sku.decode())
        waited = await reader.wait_for("product", None, 1, 0.05)
        await reader.close()
        return found.position, waited, found.document is not None

    assert asyncio.run(read()) == (0, 0, True)
    assert TantivyReader(folder).position() == 0
    if killed:
        batch = decoded(shop.log)[:5]
        for lane in lanes:
            lane.build.apply(batch, up_to=5, tailing=False)
            lane.settle(may_hold_back=False)
            lane.close()
            lane.open_when_due()
            assert (lane.build.version, lane.build.position) == (2, 5), "what was begun goes on"
    for lane in lanes:
        lane.close()

    with running(
        new_runner(shop.log, [*redis_builds(fresh_redis, shop.log), TantivyBuild(folder, shop.log)])
    ):
        views_are_at(redis, shop, shop.log.head())
        index_is_at(folder, shop)
        assert TantivyReader(folder).position() == shop.log.head()
    views_equal_a_rebuild(shop.log, fresh_redis)
