"""A projector that stalls or dies at any step of a rebuild disturbs nobody and leaves nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from event_store.postgres.log import PostgresLog
from projections.builds import all_builds
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.rebuild import Action, Progress
from projections.tantivy.build import TantivyBuild
from projections.views import orders
from tests.projections.memory_views import differences
from tests.projections.running import eventually, new_runner, redis_builds, running
from tests.projections.stopping import stopped_at, wake
from tests.restored import RestoredLog
from tests.shop.facts import CODEC
from tests.shop.log import Shop, decoded

CatchesUp = Callable[..., list[Progress]]

STEPS = ["begin", "build", "publish", "published", "deleting", "deleted", "drop"]
PUBLISHED = {"published", "deleting", "deleted"}
ROLLBACK = ["catch up", "roll back", "rolled back"]
DROPPING = ["drop kept", "dropped kept", "deleting kept", "deleted kept"]


@pytest.fixture
def shop(fresh_postgres: str, fresh_redis: str) -> Iterator[Shop]:
    """A shop on a real log."""
    log = PostgresLog.open(fresh_postgres)
    shop = Shop(log)
    shop.bustle(orders=3, products=4)
    shop.lists("LATE")
    yield shop
    log.close()


@pytest.fixture
def catches_up(shop: Shop, fresh_redis: str, tmp_path: Path) -> CatchesUp:
    """A projector runs until the view stands at the head, and what is requested of it is over."""

    def caught_up(view: str, action: Action | None = None) -> list[Progress]:
        head = shop.flush()
        builds = [build for build in all_builds(fresh_redis, tmp_path, shop.log) if build.name == view]
        runner = new_runner(shop.log, builds)
        reported: list[Progress] = []
        if action is not None:
            runner.request(action, view, reported.append)

        def done() -> bool:
            (lane, *more) = runner._lanes
            is_over = action is None or (bool(reported) and reported[-1].is_over)
            is_there = is_over and not more and lane.is_open and lane.build.is_published
            return is_there and lane.build.checkpoints[0].position == head

        with running(runner):
            eventually(done, f"{view} at the head")
        return reported

    return caught_up


def index_equals_a_rebuild(shop: Shop, data_dir: Path) -> None:
    live, anew = TantivyBuild(data_dir / "index", shop.log), TantivyBuild(data_dir / "anew", RestoredLog())
    anew.open()
    anew.apply(decoded(shop.log), up_to=shop.log.head(), tailing=True)
    anew.settle(may_hold_back=False)
    live.open()
    assert (live.checkpoint, live.compare(anew).differing_keys) == (anew.checkpoint, [])
    live.close()
    anew.close()


def everything(redis: Redis) -> dict[bytes, bytes | None]:
    """What lies in Redis, whole."""
    return {key: redis.dump(key) for key in redis.scan_iter()}


def versions_of(redis: Redis, view: str) -> set[int]:
    """Those that have any key."""
    return {int(key.decode().split(".")[1][1:]) for key in redis.scan_iter(f"{{{view}.v*")}


@pytest.fixture
def at(fresh_postgres: str, fresh_redis: str, tmp_path: Path) -> Callable[..., object]:
    def stopped(step: str, what: signal.Signals, view: str, action: Action = "rebuild") -> object:
        addresses = {"postgres_url": fresh_postgres, "redis_url": fresh_redis}
        return stopped_at(step, what, **addresses, data_dir=tmp_path, view=view, action=action)

    return stopped


@pytest.mark.parametrize("step", STEPS)
def test_a_rebuild_killed_at_any_step_leaves_nothing(
    shop: Shop, redis: Redis, fresh_redis: str, catches_up: CatchesUp, at: Callable[..., object], step: str
) -> None:
    """But the version that was read before: a rebuild that is begun deletes the one before that."""
    catches_up("order")
    catches_up("order", "rebuild")
    assert versions_of(redis, "order") == {1, 2}
    with at(step, signal.SIGKILL, "order"):
        pass
    shop.places("late", {"LATE": 1})
    catches_up("order")

    live = json.loads(redis.get("view:order"))["version"]
    assert live == (3 if step in PUBLISHED else 2)
    assert versions_of(redis, "order") == ({2, 3} if step in PUBLISHED else {2})
    (reported,) = [each for each in catches_up("order", "rebuild") if each.is_over]
    assert (reported.state, reported.version) == ("done", 4), "its number is not used again"
    assert versions_of(redis, "order") == {live, 4}
    assert differences(shop.log, CODEC, fresh_redis, orders.VIEW) == []


@pytest.mark.parametrize("view", ["order", "search"])
@pytest.mark.parametrize("step", ROLLBACK)
def test_a_rollback_killed_at_any_step_can_be_had_again(
    shop: Shop,
    redis: Redis,
    fresh_redis: str,
    tmp_path: Path,
    catches_up: CatchesUp,
    at: Callable[..., object],
    step: str,
    view: str,
) -> None:
    def live() -> int:
        pointer = (
            redis.get("view:order") if view == "order" else (tmp_path / "index/search.json").read_bytes()
        )
        return int(json.loads(pointer)["version"])

    catches_up(view)
    catches_up(view, "rebuild")
    shop.places("late", {"LATE": 1})
    shop.lists("LATER")
    shop.flush()
    with at(step, signal.SIGKILL, view, "rollback"):
        pass
    catches_up(view)
    assert live() == (1 if step == "rolled back" else 2)
    shop.places("later", {"LATER": 1})
    (reported,) = [each for each in catches_up(view, "rollback") if each.is_over]
    assert (reported.state, reported.version) == ("done", live()), reported
    assert live() == (2 if step == "rolled back" else 1)
    if view == "order":
        assert versions_of(redis, "order") == {1, 2}
        assert differences(shop.log, CODEC, fresh_redis, orders.VIEW) == []
    else:
        index_equals_a_rebuild(shop, tmp_path)


@pytest.mark.parametrize("step", DROPPING)
def test_what_is_dropped_by_who_is_killed_is_dropped(
    shop: Shop, redis: Redis, fresh_redis: str, catches_up: CatchesUp, at: Callable[..., object], step: str
) -> None:
    catches_up("order")
    catches_up("order", "rebuild")
    with at(step, signal.SIGKILL, "order", "drop"):
        pass
    (reported,) = [each for each in catches_up("order", "drop") if each.is_over]
    assert reported.state == ("done" if step == "drop kept" else "failed")
    assert versions_of(redis, "order") == {2}
    (reported,) = [each for each in catches_up("order", "rollback") if each.is_over]
    assert (reported.state, reported.reason) == ("failed", "no version is kept")
    assert differences(shop.log, CODEC, fresh_redis, orders.VIEW) == []


@pytest.mark.parametrize(
    ("step", "action"),
    [
        *((step, "rebuild") for step in STEPS),
        *((step, "rollback") for step in ROLLBACK),
        *((step, "drop") for step in DROPPING),
    ],
)
def test_a_twin_that_stalled_at_any_step_changes_nothing_once_another_took_over(
    shop: Shop,
    redis: Redis,
    fresh_redis: str,
    catches_up: CatchesUp,
    at: Callable[..., object],
    step: str,
    action: Action,
) -> None:
    catches_up("order")
    catches_up("order", "rebuild")
    with at(step, signal.SIGSTOP, "order", action) as twin:
        shop.places("late", {"LATE": 1})
        catches_up("order", "rebuild")
        before = everything(redis)
        assert json.loads(redis.get("view:order"))["version"] == (4 if action == "rebuild" else 3)
        wake(twin)
        assert everything(redis) == before
    shop.places("later", {"LATE": 1})
    catches_up("order")
    assert differences(shop.log, CODEC, fresh_redis, orders.VIEW) == []


@pytest.mark.parametrize("step", ["build", "publish", "published", "deleting"])
def test_an_index_being_rebuilt_by_who_is_killed_is_cleared_away(
    shop: Shop, tmp_path: Path, catches_up: CatchesUp, at: Callable[..., object], step: str
) -> None:
    catches_up("search")
    catches_up("search", "rebuild")
    with at(step, signal.SIGKILL, "search"):
        pass
    shop.lists("LATER")
    catches_up("search")

    folder = tmp_path / "index"
    live = json.loads((folder / "search.json").read_text())["version"]
    assert live == (3 if step in PUBLISHED else 2)
    kept = [2, 3] if step in PUBLISHED else [2]
    assert sorted(one.name for one in folder.glob("search.v*")) == [f"search.v{version}" for version in kept]
    index_equals_a_rebuild(shop, tmp_path)


@pytest.mark.parametrize("step", ["publish", "deleting"])
def test_a_twin_that_stalled_with_the_index_changes_nothing(
    shop: Shop, tmp_path: Path, catches_up: CatchesUp, at: Callable[..., object], step: str
) -> None:
    """It keeps the engine's lock on what it has open; who took over waits for that, and is not overtaken."""
    folder = tmp_path / "index"
    record, pointer = folder / "search.record.json", folder / "search.json"
    catches_up("search")
    catches_up("search", "rebuild")
    with at(step, signal.SIGSTOP, "search") as twin:
        shop.lists("LATER")
        head = shop.flush()
        build = TantivyBuild(folder, shop.log)
        epoch = json.loads(record.read_text())["epoch"]
        with running(new_runner(shop.log, [build])):
            eventually(lambda: json.loads(record.read_text())["epoch"] > epoch, "taken over")
            before = pointer.read_bytes()
            wake(twin)
            assert pointer.read_bytes() == before
            eventually(lambda: TantivyReader(folder).position() == head, "caught up")
    kept = [2, 3] if step == "deleting" else [2]
    assert sorted(one.name for one in folder.glob("search.v*")) == [f"search.v{version}" for version in kept]
    index_equals_a_rebuild(shop, tmp_path)


@pytest.mark.parametrize("forgets", ["Redis", "the log"])
def test_no_number_is_given_to_two_versions(
    shop: Shop, redis: Redis, fresh_redis: str, fresh_postgres: str, forgets: str
) -> None:
    """Not after a rebuild that was dropped, nor after a restart where one of the two has forgotten all."""
    seen: list[int] = []

    def built() -> None:
        (build,) = [build for build in redis_builds(fresh_redis, shop.log) if build.name == "order"]
        build.open()
        if not build.is_published:
            build.publish()
            seen.append(build.version)
        given_up = build.beside()
        seen.append(given_up.version)
        given_up.drop()
        build.close()
        given_up.close()

    for _ in range(3):
        built()
        if forgets == "Redis":
            redis.flushall()
        else:
            with psycopg.connect(fresh_postgres, autocommit=True) as sql:
                sql.execute("DELETE FROM daybook.numbers")
    assert seen == sorted(set(seen)), "each is new"
    assert len(seen) >= 4
