"""A projector at work in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from event_store.records import EventReader, OrderedEvents
from projections.engine.build import Build
from projections.engine.follower import Follower
from projections.engine.metrics import ProjectorMetrics
from projections.engine.runner import Runner
from projections.engine.versions import Numbers
from projections.redis.build import RedisBuild
from projections.redis.store import RedisStore
from projections.status import standing
from projections.views.registry import VIEWS
from tests.projections.memory_views import differences
from tests.shop.facts import CODEC
from tests.waiting import SECONDS_MAX


def redis_builds(url: str, numbers: Numbers, shards: int = 1) -> list[Build]:
    return [RedisBuild(view, url, numbers, shards=shards) for view in VIEWS]


def new_runner(log: OrderedEvents, followers: Sequence[Follower]) -> Runner:
    """One that looks often whether there is something to do: a test has hundreds of such rounds."""
    runner = Runner(log, CODEC, followers, ProjectorMetrics(CollectorRegistry()))
    runner.poll_seconds = runner.idle_seconds = 0.02
    return runner


@contextmanager
def running(runner: Runner, poll: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """The runner runs meanwhile; what it raised is raised at the end."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            runner.run(poll)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        runner.stop()
        thread.join()
    if raised:
        raise raised[0]


def eventually(holds: Callable[[], bool], what: str, *, seconds_max: float = SECONDS_MAX) -> None:
    """Waits until it holds."""
    until = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < until, f"not within {seconds_max} s: {what}"
        time.sleep(0.01)


def views_reach(url: str, position: int) -> None:
    """Waits until readers see every view at the position or beyond."""
    store = RedisStore(url)

    def reached() -> bool:
        found = [standing(store, view.name) for view in VIEWS]
        return all(each.version is not None and each.position >= position for each in found)

    try:
        eventually(reached, f"views at {position}")
    finally:
        store.close()


def views_equal_a_rebuild(log: EventReader, url: str) -> None:
    """Every view's documents are, byte for byte, what the log makes of them."""
    for view in VIEWS:
        assert differences(log, CODEC, url, view) == [], view.name
