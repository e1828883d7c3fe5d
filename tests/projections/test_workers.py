"""Several projector processes share the shards; they come, leave, die and stand still while events flow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from event_store.postgres.log import PostgresLog
from projections.engine.partitions import PARTITIONS, leader, partition_holders
from projections.status import view_statuses
from tests.projections.projectors import Paths, index_reaches, started
from tests.projections.running import eventually, views_equal_a_rebuild, views_reach
from tests.shop.log import Shop

pytestmark = pytest.mark.slow

SHARDS = {"DAYBOOK_PROJECTOR_SHARDS": str(PARTITIONS)}


@contextmanager
def events_flow(postgres_url: str) -> Iterator[None]:
    """A shop is busy meanwhile."""
    log = PostgresLog.open(postgres_url)
    is_over, failed = threading.Event(), []

    def bustle() -> None:
        shop = Shop(log)
        try:
            while not is_over.wait(0.02):  # A load that leaves something of the machine to the projectors.
                shop.bustle(orders=3, products=5)
                shop.flush()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=bustle)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        log.close()
    assert not failed


class Workers:
    """The projector processes of one system."""

    def __init__(self, paths: Paths, log: PostgresLog) -> None:
        self._paths = paths
        self._log = log
        self.running: list[Popen[bytes]] = []

    def start(self) -> Popen[bytes]:
        process = started(self._paths, **SHARDS)
        self.running.append(process)
        return process

    def leader(self) -> Popen[bytes]:
        eventually(lambda: self._named(leader(self._log)) is not None, "one leads")
        found = self._named(leader(self._log))
        assert found is not None
        return found

    def share_out(self, *, among: int) -> None:
        """Waits until so many hold all partitions, each about as many."""

        def are_shared_out() -> bool:
            holders = partition_holders(self._log)
            counts = [holders.count(holder) for holder in set(holders)]
            return None not in holders and len(counts) == among and max(counts) - min(counts) <= 1

        eventually(are_shared_out, f"{among} share the partitions")

    def holds_none(self, process: Popen[bytes]) -> bool:
        holders = [*partition_holders(self._log), leader(self._log)]
        return all(self._named(holder) is not process for holder in holders)

    def all_moves_on(self) -> None:
        """Waits until every view has taken in what is in the log by now, and more is known to follow."""
        views_reach(self._paths.redis_url, self._log.head())

    def _named(self, holder: str | None) -> Popen[bytes] | None:
        return next((one for one in self.running if holder and holder.endswith(f":{one.pid}")), None)


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
    workers = Workers(paths, log)
    yield workers
    for process in workers.running:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    codes = [process.wait(20) for process in workers.running]
    text = (paths.data_dir / "projector.log").read_text()
    assert set(codes) <= {0, -signal.SIGKILL}, text[-3000:]


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
