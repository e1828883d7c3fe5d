"""The projector as a process: killed, requested to rebuild, alone under its lock."""

from __future__ import annotations

import dataclasses
import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from event_store.postgres.log import PostgresLog
from event_store.records import NewEvent
from projections import operate
from projections.cli import NAMES, projections_group
from projections.engine.rebuild import Progress
from projections.redis.requests import RedisRequests, Request
from tests.projections.projectors import Paths, index_reaches, projector, started
from tests.projections.running import eventually, views_equal_a_rebuild, views_reach
from tests.shop.log import Shop
from tests.waiting import SECONDS_MAX


@pytest.fixture
def paths(fresh_postgres: str, fresh_redis: str, tmp_path: Path) -> Paths:
    return Paths(fresh_postgres, fresh_redis, tmp_path)


@pytest.fixture
def shop(paths: Paths) -> Iterator[Shop]:
    """A shop on a real log."""
    log = PostgresLog.open(paths.postgres_url)
    yield Shop(log)
    log.close()


@pytest.mark.slow
def test_killed_under_load_its_views_equal_a_rebuild(shop: Shop, paths: Paths) -> None:
    log = paths.data_dir / "projector.log"
    for seed in range(4):
        process = started(paths)
        rounds_left, deadline = 5 + 2 * seed, time.monotonic() + SECONDS_MAX
        while rounds_left:
            assert time.monotonic() < deadline, "it does not run"
            rounds_left -= log.read_text().count("projector runs") > seed
            shop.bustle(orders=20, seed=seed)
            head = shop.flush()
            time.sleep(0.05)  # A load that leaves something of the machine to the projector.
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS_MAX)

    with projector(paths) as process:
        # The killed ones may have done all the work, and SIGTERM may come before this one answers to it.
        eventually(lambda: log.read_text().count("projector runs") > 4, "it runs")
        views_reach(paths.redis_url, head)
        index_reaches(paths, head)
    assert process.returncode == 0, "SIGTERM is a clean stop"
    views_equal_a_rebuild(shop.log, paths.redis_url)


@pytest.mark.slow
def test_a_second_projector_goes_on_where_the_first_was_killed(shop: Shop, paths: Paths) -> None:
    shop.bustle(orders=5)
    head = shop.flush()
    with projector(paths) as first:
        views_reach(paths.redis_url, head)  # So it is the first that leads.
        with projector(paths):
            log = paths.data_dir / "projector.log"
            eventually(lambda: "another leads" in log.read_text(), "the second runs")
            first.kill()
            shop.bustle(orders=5)
            views_reach(paths.redis_url, shop.flush())
    views_equal_a_rebuild(shop.log, paths.redis_url)


@pytest.mark.slow
def test_operators_see_which_views_have_stopped_and_have_them_try_again(shop: Shop, paths: Paths) -> None:
    shop.records_raw(NewEvent("product-BROKEN", "catalog.product_listed", 1, b'{"sku":7}'))
    shop.bustle(orders=5)
    head = shop.flush()
    message = (
        "product: stopped at 0: catalog.product_listed at 1: position 1, catalog.product_listed number 1"
    )

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(projections_group, list(arguments), obj=paths, catch_exceptions=False)

    def statuses() -> dict[str, dict[str, Any]]:
        return {each["view"]: each for each in json.loads(command("status", "--json").stdout)}

    with projector(paths) as process:
        eventually(lambda: statuses()["product"]["stopped"] is not None, "it has stopped")
        eventually(lambda: statuses()["order"]["position"] == head, "another goes on")
        assert message in command("status").stdout
        retried = command("retry", "product")
        assert (
            retried.exit_code,
            message.replace(" stopped", " not retried: stopped") in retried.stdout,
        ) == (1, True)
        assert process.poll() is None
        assert command("retry", "order").exit_code == 0
    log = (paths.data_dir / "projector.log").read_text()
    assert "event does not decode" in log
    assert "view stopped" in log
    here = command("retry", "product")
    assert (here.exit_code, "stopped at 0" in here.stdout) == (1, True), "no projector runs: it is done here"


@pytest.mark.slow
def test_operators_see_where_views_stand_and_rebuild_them(shop: Shop, paths: Paths, redis: Redis) -> None:
    shop.bustle(orders=30)
    head = shop.flush()

    def command_output(*arguments: str) -> str:
        result = CliRunner().invoke(projections_group, list(arguments), obj=paths, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "not ready" in command_output("status")
    with projector(paths) as process:
        views_reach(paths.redis_url, head)
        index_reaches(paths, head)
        before = json.loads(command_output("status", "--json"))
        assert {each["view"] for each in before} == set(NAMES)
        assert {(each["version"], each["position"], each["lag"]) for each in before} == {(1, head, 0)}
        shown = command_output("status", "--shards").splitlines()
        assert [line.split()[:2] for line in shown[1:]] == [[name, "0"] for name in NAMES]
        assert {line.split()[2].rpartition(":")[2] for line in shown[1:]} == {str(process.pid)}
        assert {tuple(line.split()[3:]) for line in shown[1:]} == {(str(head), "0")}

        printed = command_output("rebuild", "all")

        assert printed.count(" 0 differ") == len(NAMES), printed
        after = json.loads(command_output("status", "--json"))
        assert {(each["version"], each["kept"]["version"], each["building"]) for each in after} == {
            (2, 1, None)
        }
        assert {line.split()[5] for line in command_output("status").splitlines()[1:]} == {"1"}
        verified = command_output("verify", "search")
        assert f"at position {head}, " in verified
        assert " 0 differ from the version that is read" in verified
        redis.set("{product.v2.0}:GHOST", b"{}")
        found = CliRunner().invoke(projections_group, ["verify", "product"], obj=paths)
        assert (found.exit_code, "1 differ from the version that is read: GHOST" in found.stdout) == (1, True)
        assert f"at position {head}, " in found.stdout
        redis.delete("{product.v2.0}:GHOST")
        again = json.loads(command_output("status", "--json"))
        assert [(each["version"], each["kept"]) for each in again] == [
            (each["version"], each["kept"]) for each in after
        ], "nothing was turned, and what is kept is still there"
    assert "version 3" in command_output("rebuild", "order"), "no projector runs: the command does it itself"
    assert "version 4" in command_output("rebuild", "search"), "to verify takes a number, too"
    assert json.loads(redis.get("view:order"))["version"] == 3
    assert json.loads(redis.get("view:product"))["version"] == 2
    views_equal_a_rebuild(shop.log, paths.redis_url)


@pytest.mark.slow
def test_a_rebuild_does_not_wait_for_a_projector_that_stands_still(
    shop: Shop, paths: Paths, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_LOCK_CHECK_SECONDS", 0.5)
    monkeypatch.setattr(operate, "_NO_PROGRESS_SECONDS_MAX", 1.5)
    shop.bustle(orders=5)
    head = shop.flush()

    def rebuilt() -> Result:
        return CliRunner().invoke(projections_group, ["rebuild", "order"], obj=paths, catch_exceptions=False)

    with projector(paths) as process:
        views_reach(paths.redis_url, head)
        process.send_signal(signal.SIGSTOP)
        try:
            stopped = rebuilt()
            assert redis.llen("rebuild:requests") == 0, "it was taken back"
            process.kill()
            killed = rebuilt()
        finally:
            process.send_signal(signal.SIGCONT)
    assert stopped.exit_code == 1
    assert "order: not rebuilt: the projector holds its lock and has said nothing" in stopped.stdout
    assert (killed.exit_code, " 0 differ" in killed.stdout) == (0, True), killed.output


def test_a_rebuild_is_asked_for_again_where_its_projector_ended_and_another_runs(
    shop: Shop, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_LOCK_CHECK_SECONDS", 0.3)
    projectors_lock = shop.log.try_exclusive("projector")
    assert projectors_lock is not None
    requests = RedisRequests(paths.redis_url)
    heard: list[Progress] = []

    def taken() -> Request:
        while not (found := requests.take()):
            time.sleep(0.01)
        return found[0]

    def asking() -> list[Progress]:
        addresses = {"postgres_url": paths.postgres_url, "redis_url": paths.redis_url}
        return operate.run_action(
            "rebuild", ["order"], **addresses, data_dir=paths.data_dir, report=heard.append
        )

    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(asking)
        by_one_that_ends = taken()
        by_the_next = taken()
        requests.report(by_the_next, Progress("done", "order", version=2))
        assert [progress.state for progress in answer.result(30)] == ["done"]
    assert by_one_that_ends == by_the_next
    requests.close()
    projectors_lock.release()


@pytest.mark.slow
def test_a_rebuild_does_not_wait_for_a_store_that_stays_away(
    shop: Shop, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_NO_PROGRESS_SECONDS_MAX", 1.5)
    shop.bustle(orders=5)
    shop.flush()
    (paths.data_dir / "no folder").write_text("")
    nowhere = dataclasses.replace(paths, data_dir=paths.data_dir / "no folder")
    result = CliRunner().invoke(projections_group, ["rebuild", "search"], obj=nowhere, catch_exceptions=False)
    assert (result.exit_code, "search: not rebuilt: its store was away" in result.stdout) == (1, True)


@pytest.mark.parametrize("foreign", [b"nonsense", b"{}"])
def test_a_strangers_request_is_passed_over(redis: Redis, paths: Paths, foreign: bytes) -> None:
    requests = RedisRequests(paths.redis_url)
    redis.set("rebuild:requests", foreign)
    assert requests.take() == []
    redis.rpush("rebuild:requests", foreign)
    request = requests.submit("order", "rebuild")
    assert requests.take() == [request]
    redis.set(f"rebuild:{request.id}", foreign)
    assert requests.last_progress(request) is None
    requests.close()
