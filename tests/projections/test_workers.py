"""Several projector processes share the shards; they come, leave, die and stand still while events flow."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from event_store.postgres.log import PostgresLog
from projections.engine.partitions import leader
from projections.status import view_statuses
from tests.projections.projectors import Paths, Workers, events_flow, index_reaches, running_workers
from tests.projections.running import eventually, views_equal_a_rebuild, views_reach

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(fresh_postgres: str, fresh_redis: str, tmp_path: Path) -> Paths:
    return Paths(fresh_postgres, fresh_redis, tmp_path)


@pytest.fixture
def log(paths: Paths) -> Iterator[PostgresLog]:
    log = PostgresLog.open(paths.postgres_url)
    yield log
    log.close()


@pytest.fixture
def workers(paths: Paths, log: PostgresLog) -> Iterator[Workers]:
    with running_workers(paths, log) as workers:
        yield workers


@pytest.fixture
def equals_a_rebuild(paths: Paths, log: PostgresLog) -> Callable[[], None]:
    """Waits until all has been taken in; then every document is what a rebuild makes of the log."""

    def check() -> None:
        head = log.head()
        views_reach(paths.redis_url, head)
        index_reaches(paths, head)
        views_equal_a_rebuild(log, paths.redis_url)

    return check


def test_workers_join_leave_and_are_killed(
    workers: Workers, paths: Paths, log: PostgresLog, equals_a_rebuild: Callable[[], None]
) -> None:
    with events_flow(paths.postgres_url):
        first = workers.start()
        workers.share_out(among=1)
        second = workers.start()
        workers.share_out(among=2)
        workers.all_moves_on()
        workers.start()
        workers.share_out(among=3)
        workers.all_moves_on()
        assert workers.leader() is first
        second.terminate()
        workers.share_out(among=2)
        workers.all_moves_on()
        first.kill()
        workers.share_out(among=1)
        assert workers.leader() is workers.running[2]
        workers.all_moves_on()
    equals_a_rebuild()
    statuses = view_statuses(log, paths.redis_url, paths.data_dir)
    holder = leader(log)
    assert holder is not None
    shown = {(one.holder, one.position, one.lag) for each in statuses for one in each.by_shard}
    assert shown == {(holder, log.head(), 0)}


@pytest.mark.parametrize("who", ["leader", "other"])
def test_a_worker_that_stood_still_beyond_its_lease_disturbs_nobody(
    who: str, workers: Workers, paths: Paths, equals_a_rebuild: Callable[[], None]
) -> None:
    with events_flow(paths.postgres_url):
        workers.start()
        workers.start()
        workers.share_out(among=2)
        workers.all_moves_on()
        leading = workers.leader()
        still = leading if who == "leader" else next(one for one in workers.running if one is not leading)
        still.send_signal(signal.SIGSTOP)
        workers.share_out(among=1)
        eventually(lambda: workers.holds_none(still), "it has lost its lease")
        assert workers.leader() is not still
        workers.all_moves_on()
        still.send_signal(signal.SIGCONT)
        workers.share_out(among=2)
        workers.all_moves_on()
    equals_a_rebuild()


def test_an_emptied_store_is_filled_again_by_all(
    workers: Workers, paths: Paths, redis, equals_a_rebuild: Callable[[], None]
) -> None:
    with events_flow(paths.postgres_url):
        workers.start()
        workers.start()
        workers.share_out(among=2)
        workers.all_moves_on()
        redis.flushall()
        workers.all_moves_on()
    equals_a_rebuild()
