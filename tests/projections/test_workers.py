"""Several projector processes share the shards; they come, leave, die and stand still while events flow."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from event_store.postgres.log import PostgresLog
from event_store.records import NewEvent
from projections.cli import projections_group
from projections.engine.partitions import leader
from projections.engine.rebuild import Action
from projections.operate import run_action
from projections.status import view_statuses
from tests.projections.projectors import Paths, Workers, events_flow, index_reaches, running_workers
from tests.projections.running import eventually, views_equal_a_rebuild, views_reach
from tests.shop.facts import CODEC, listed
from tests.shop.log import Shop

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


def test_views_that_several_write_are_rebuilt_and_rolled_back_while_events_flow(
    workers: Workers, paths: Paths, equals_a_rebuild: Callable[[], None]
) -> None:
    """Shards of both versions move on in several processes while they are compared, or caught up."""

    def done(action: Action, views: list[str]) -> dict[str, tuple[str, int | None, list[str] | None]]:
        ended = run_action(action, views, **dataclasses.asdict(paths), report=lambda _: None)
        return {each.view: (each.state, each.version, each.differing_keys) for each in ended}

    views = ["order", "bestsellers", "customer_orders"]
    with events_flow(paths.postgres_url):
        workers.start()
        workers.start()
        workers.share_out(among=2)
        workers.all_moves_on()
        assert done("rebuild", views) == dict.fromkeys(views, ("done", 2, []))
        workers.all_moves_on()
        assert done("rollback", views) == dict.fromkeys(views, ("done", 1, None))
        workers.all_moves_on()
        assert done("drop", ["order"]) == {"order": ("done", 2, None)}
    equals_a_rebuild()


def test_an_event_that_one_worker_cannot_take_in_stops_its_view_and_is_tried_again_by_all(
    workers: Workers, paths: Paths, log: PostgresLog, equals_a_rebuild: Callable[[], None]
) -> None:
    shop = Shop(log)
    shop.bustle(orders=5)
    before = shop.flush()
    shop.records_raw(NewEvent("product-BROKEN", "catalog.product_listed", 1, b'{"sku":7}'))
    shop.flush()
    shop.bustle(orders=5, seed=2)
    head = shop.flush()

    def stopped() -> dict[str, int]:
        statuses = view_statuses(log, paths.redis_url, paths.data_dir)
        return {each.view: each.stopped.position for each in statuses if each.stopped is not None}

    def others() -> set[int]:
        statuses = view_statuses(log, paths.redis_url, paths.data_dir)
        return {each.position for each in statuses if each.view in ("order", "cart", "customer_orders")}

    workers.start()
    workers.start()
    workers.share_out(among=2)
    eventually(lambda: {"product", "search"} <= stopped().keys(), "they have stopped")
    eventually(lambda: others() == {head}, "others go on")
    assert set(stopped().values()) == {before}
    views = list(stopped())
    (ended,) = run_action("retry", ["product"], **dataclasses.asdict(paths), report=lambda _: None)
    assert (ended.state, str(ended.reason).partition(":")[0]) == ("failed", f"stopped at {before}")
    data = CODEC.encode("product-BROKEN", listed("BROKEN")).data
    with psycopg.connect(paths.postgres_url, autocommit=True) as sql:
        sql.execute("SET session_replication_role = replica")
        sql.execute(
            "UPDATE daybook.events SET data = %s, schema_number = 2 WHERE position = %s", (data, before + 1)
        )
    tried = run_action("retry", views, **dataclasses.asdict(paths), report=lambda _: None)
    assert {each.view: (each.state, each.position) for each in tried} == dict.fromkeys(views, ("done", head))
    eventually(lambda: stopped() == {}, "no longer shown")
    equals_a_rebuild()


def test_a_view_is_rebuilt_by_all_of_them_while_it_moves_on(
    workers: Workers, paths: Paths, equals_a_rebuild: Callable[[], None]
) -> None:
    with events_flow(paths.postgres_url):
        workers.start()
        workers.start()
        workers.share_out(among=2)
        workers.all_moves_on()
        result = CliRunner().invoke(
            projections_group, ["rebuild", "order"], obj=paths, catch_exceptions=False
        )
        assert (result.exit_code, " 0 differ" in result.stdout) == (0, True), result.output
        workers.all_moves_on()
    equals_a_rebuild()
