"""A store that is restored from before, slow, or full: nothing is lost, nothing counts twice."""

from __future__ import annotations

import errno
import functools
import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from redis import Redis

from deploy.local.servers.redis import RedisServer
from event_store.memory.log import MemoryLog
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.rebuild import Progress
from projections.redis.store import RedisStore
from projections.status import standing
from projections.tantivy.build import TantivyBuild
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
from tests.shop.log import Shop, decoded
from tests.waiting import SECONDS_MAX


def rebuilt(shop: Shop, url: str, view: str) -> None:
    """A projector rebuilds the view, and ends."""
    reported: list[Progress] = []
    runner = new_runner(shop.log, redis_builds(url, shop.log))
    runner.request("rebuild", view, reported.append)
    with running(runner):
        eventually(lambda: bool(reported) and reported[-1].is_over, "rebuilt")
    assert reported[-1].state == "done", reported[-1]


@pytest.mark.slow
@pytest.mark.parametrize("meanwhile", ["running", "stopped"])
def test_a_redis_restored_from_before_a_rebuild_is_caught_up(
    shop: Shop, own_redis: RedisServer, tmp_path: Path, meanwhile: str
) -> None:
    """Its pointer names a version that was deleted since, and its record knows of no later one."""
    url, older = own_redis.url, tmp_path / "older"
    shop.bustle(orders=10)
    head = shop.flush()
    with running(new_runner(shop.log, redis_builds(url, shop.log))):
        views_reach(url, head)
    own_redis.stop()
    shutil.copytree(own_redis.folder, older)
    own_redis.start()
    shop.bustle(orders=10, seed=2)
    shop.flush()
    rebuilt(shop, url, "order")
    rebuilt(shop, url, "order")

    def restored() -> None:
        own_redis.stop()
        shutil.rmtree(own_redis.folder)
        shutil.copytree(older, own_redis.folder)
        for path in (own_redis.folder, *own_redis.folder.rglob("*")):
            shutil.chown(path, *owner)
        own_redis.start()

    stat = own_redis.folder.stat()
    owner = (stat.st_uid, stat.st_gid)
    if meanwhile == "stopped":
        restored()
    with running(new_runner(shop.log, redis_builds(url, shop.log))):
        if meanwhile == "running":
            views_reach(url, shop.log.head())
            restored()
        shop.bustle(orders=5, seed=3)
        views_reach(url, shop.flush())
    views_equal_a_rebuild(shop.log, url)
    rebuilt(shop, url, "order")
    with Redis.from_url(url) as redis:
        assert json.loads(redis.get("view:order"))["version"] == 4, "no number is used again"


def test_what_a_slow_redis_does_after_nobody_waits_any_more_counts_once(
    shop: Shop, redis: Redis, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write was sent, its answer does not come in time, and it is done afterwards."""
    monkeypatch.setattr(
        "projections.redis.build.RedisStore", functools.partial(RedisStore, timeout_seconds=0.1)
    )
    with running(new_runner(shop.log, redis_builds(fresh_redis, shop.log))):
        shop.bustle(orders=5)
        views_reach(fresh_redis, shop.flush())
        for seed in range(3):
            redis.execute_command("CLIENT", "PAUSE", 400, "WRITE")
            shop.bustle(orders=5, seed=seed)
            head = shop.flush()
        views_reach(fresh_redis, head)
    views_equal_a_rebuild(shop.log, fresh_redis)


def test_a_full_redis_is_waited_out_and_read_meanwhile(shop: Shop, redis: Redis, fresh_redis: str) -> None:
    def at(position: int) -> bool:
        store = RedisStore(fresh_redis)
        try:
            return all(standing(store, view.name).position >= position for view in VIEWS)
        finally:
            store.close()

    def refusals() -> int:
        return sum("OOM" in str(line.get("reason")) for line in lines)

    runner = new_runner(shop.log, redis_builds(fresh_redis, shop.log, shards=3))
    with structlog.testing.capture_logs() as lines, running(runner):
        shop.bustle(orders=5)
        before = shop.flush()
        views_reach(fresh_redis, before)
        redis.config_set("maxmemory", 1)
        try:
            shop.bustle(orders=5, seed=2)
            head = shop.flush()
            eventually(lambda: refusals() > 2 * len(VIEWS), "writes are refused, and tried again")
            assert at(before), "read as they stood"
        finally:
            redis.config_set("maxmemory", 0)
        views_reach(fresh_redis, head)
    views_equal_a_rebuild(shop.log, fresh_redis)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


INDEX = """
import sys
from pathlib import Path
from tests.projections.test_store_faults import index_on_a_full_disk
index_on_a_full_disk(Path(sys.argv[1]))
"""


def test_an_index_whose_disk_is_full_is_read_as_it_stood_and_caught_up_afterwards(tmp_path: Path) -> None:
    """In a process of its own: the limit is for every file that it writes."""
    done = subprocess.run(
        [sys.executable, "-c", INDEX, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def index_on_a_full_disk(folder: Path) -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=3, products=20)
    before = shop.flush()
    index = folder / "index"
    runner = new_runner(shop.log, [TantivyBuild(index, shop.log)])
    with running(runner):
        eventually((index / "search.json").exists, "published")
        eventually(lambda: TantivyReader(index).position() == before, "at the head")
        with files_up_to(100):
            with (folder / "probe").open("wb", 0) as probe:
                try:
                    probe.write(b"x" * 101)
                    probe.write(b"x")
                except OSError as error:
                    assert error.errno == errno.EFBIG
                else:
                    raise AssertionError("the disk is not full")
            shop.bustle(orders=3, products=20, seed=2)
            shop.lists("LATER")
            head = shop.flush()
            (lane,) = runner._lanes
            failures: list[str] = []
            pause = lane._pause
            lane._pause = lambda what, error: (failures.append(str(error)), pause(what, error))[0]  # type: ignore
            eventually(lambda: len(failures) > 1, "it is tried again and again")
            assert TantivyReader(index).position() == before, "read as it stood"
        eventually(lambda: TantivyReader(index).position() == head, "caught up")
    live, anew = TantivyBuild(index, shop.log), TantivyBuild(folder / "anew", RestoredLog())
    anew.open()
    anew.apply(decoded(shop.log), up_to=head, tailing=True)
    anew.settle(may_hold_back=False)
    live.open()
    assert (live.checkpoint, live.compare(anew).differing_keys) == (anew.checkpoint, [])
    live.close()
    anew.close()
