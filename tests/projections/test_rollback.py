"""The version that was read before is kept: caught up and read again on request, deleted later."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from event_store.memory.log import MemoryLog
from projections.builds import all_builds
from projections.documents.errors import ViewNotReady
from projections.documents.redis_reader import RedisReader
from projections.engine.build import Build
from projections.engine.rebuild import Action, Progress
from projections.engine.runner import Runner
from projections.redis.build import RedisBuild
from projections.views import catalog
from projections.views.view import View
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


@pytest.mark.parametrize("shards", [1, 3])
def test_readers_are_turned_back_to_the_version_before_once_it_is_caught_up(
    shop: Shop, redis: Redis, fresh_redis: str, shards: int
) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with following([RedisBuild(catalog.VIEW, fresh_redis, shop.log, shards=shards)], shop.log) as requested:
        reaches(redis, head)
        assert requested("rollback", "product").reason == "no version is kept"
        assert requested("rebuild", "product").version == 2
        shop.bustle(orders=5, seed=2)
        head = shop.flush()
        reaches(redis, head)
        back = requested("rollback", "product")
        assert (back.state, back.version, back.documents) == ("done", 1, None)
        assert back.position >= head
        assert (live(redis)["version"], kept(redis)) == (1, 2)
        shop.bustle(orders=5, seed=3)
        reaches(redis, shop.flush())
        assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []
        assert requested("rollback", "product").version == 2, "and forth"
        assert requested("drop", "product").version == 1
        assert kept(redis) is None
        eventually(lambda: redis.keys("{product.v1.*") == [], "deleted")
        assert requested("drop", "product").reason == "no version is kept"
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


def test_the_search_index_is_turned_back(shop: Shop, fresh_redis: str, tmp_path: Path) -> None:
    pointer = tmp_path / "index" / "search.json"
    builds = [build for build in all_builds(fresh_redis, tmp_path, shop.log) if build.name == "search"]
    shop.bustle(orders=5)
    shop.flush()
    with following(builds, shop.log) as requested:
        eventually(pointer.exists, "published")
        assert requested("rebuild", "search").version == 2
        shop.lists("LATER")
        head = shop.flush()
        back = requested("rollback", "search")
        assert (back.state, back.version, back.position) == ("done", 1, head)
        assert json.loads(pointer.read_text())["version"] == 1
        assert (tmp_path / "index" / "search.v2").is_dir()
        again = requested("rebuild", "search")
        assert (again.version, again.differing_keys) == (3, [])
    assert sorted(folder.name for folder in pointer.parent.glob("search.v*")) == ["search.v1", "search.v3"]


def test_a_version_that_lost_a_shard_is_not_turned_back_to(
    shop: Shop, redis: Redis, fresh_redis: str
) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with following([RedisBuild(catalog.VIEW, fresh_redis, shop.log, shards=3)], shop.log) as requested:
        reaches(redis, head)
        requested("rebuild", "product")
        redis.delete("{product.v1.1}:checkpoint")
        refused = requested("rollback", "product")
        assert (refused.state, refused.reason) == ("failed", "version 1 is no longer there")
        assert live(redis)["version"] == 2
    assert differences(shop.log, CODEC, fresh_redis, catalog.VIEW) == []


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


class Reading:
    """A thread that reads all the time: each document must be as one version has it, and never go back."""

    def __init__(self, url: str, sku: str, versions: dict[str, str]) -> None:
        """`versions`: what each model makes of the title, by what it begins with."""
        self.found: list[tuple[str, int]] = []
        self.wrong: list[object] = []
        self._done = threading.Event()
        self._url, self._sku, self._beginnings = url, sku, versions
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read()))

    def __enter__(self) -> Reading:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    async def _read(self) -> None:
        reader = RedisReader(self._url, pointer_seconds=0.02)
        try:
            while not self._done.is_set():
                try:
                    both = await reader.documents("product", [self._sku, "CUP"])
                except ViewNotReady as error:
                    self.wrong.append(error)
                    continue
                titles = [json.loads(one or b"{}").get("title", "") for one in both.documents]
                models = {title.partition(" ")[0] for title in titles}
                if len(models) != 1 or not models <= set(self._beginnings):
                    self.wrong.append(titles)
                else:
                    self.found.append((models.pop(), both.position))
        finally:
            await reader.close()


def titled(prefix: str, model: int) -> View:
    """The product page as another model has it: its titles begin otherwise."""

    def evolve(key: str, document: Any, fact: Any, recorded: Any) -> Any:
        document = catalog.VIEW.evolve(key, document, fact, recorded)
        if not document.title.startswith(f"{prefix} "):
            document.title = f"{prefix} {document.title}"
        return document

    return dataclasses.replace(catalog.VIEW, evolve=evolve, model=model)


def test_a_reader_throughout_never_sees_a_mixture_nor_nothing(
    shop: Shop, redis: Redis, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model is built beside at start, the code of before started again, rebuilt, and rolled back."""
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS", 50)
    monkeypatch.setattr("projections.engine.runner._PAGE_EVENTS_BESIDE", 50)
    shop.lists("MUG")
    shop.lists("CUP")
    shop.bustle(orders=50)

    def runs(view: View, seed: int, action: Action | None = None) -> Progress | None:
        progress = None
        with following([RedisBuild(view, fresh_redis, shop.log)], shop.log) as requested:
            shop.bustle(orders=5, seed=seed)
            eventually(lambda: live(redis).get("model") == view.model, "published")
            if action is not None:
                progress = requested(action, "product")
            shop.bustle(orders=5, seed=seed + 1)
            reaches(redis, shop.flush())
        return progress

    before, after = titled("before", 901), titled("after", 902)
    runs(before, 10)
    first = live(redis)["version"]
    with Reading(fresh_redis, "MUG", {"before": "", "after": ""}) as reading:
        eventually(lambda: bool(reading.found), "read")
        runs(after, 20)
        assert kept(redis) == first
        eventually(lambda: reading.found[-1][0] == "after", "the new model is read")
        refused = runs(after, 30, "rollback")
        assert refused is not None
        assert "was built by read model 901" in str(refused.reason)
        runs(before, 40)
        assert live(redis)["version"] == first, "the code that built it goes on from it"
        eventually(lambda: reading.found[-1][0] == "before", "the old model is read again")
        runs(before, 50, "rebuild")
        runs(before, 60, "rollback")
        assert live(redis)["version"] == first
    assert reading.wrong == []
    seen = [model for model, _ in reading.found]
    switches = [model for model, last in zip(seen, [None, *seen], strict=False) if model != last]
    assert switches == ["before", "after", "before"]
    positions = [position for _, position in reading.found]
    assert positions == sorted(positions), "nobody went back"


def test_a_runner_of_no_views_is_asked_in_vain() -> None:
    runner: Runner = new_runner(MemoryLog(), [])
    for action in ("rebuild", "rollback", "retry", "drop"):
        reported: list[Progress] = []
        runner.request(action, "product", reported.append)
        assert reported[-1].reason == "there is no view product"
