"""The projector as a process: killed, asked for rebuilds, alone under its lock."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from event_store.postgres.log import PostgresLog
from event_store.records import NewEvent
from projections import operate
from projections.cli import NAMES, projections_group
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.rebuild import Progress
from projections.redis.requests import RedisRequests, Request
from tests.projections.running import eventually, views_equal_a_rebuild, views_reach
from tests.projections.shop import Shop

PROJECTOR = (
    "from projections.serve import run_projector; from projections.settings import Settings;"
    " run_projector(Settings())"
)


@dataclass(frozen=True)
class Place:
    """What the command line is told, too."""

    postgres_url: str
    redis_url: str
    data_dir: Path


@pytest.fixture
def place(fresh_postgres: str, fresh_redis: str, tmp_path: Path) -> Place:
    return Place(fresh_postgres, fresh_redis, tmp_path)


@pytest.fixture
def kept(place: Place) -> Iterator[Shop]:
    """A shop on a real log."""
    log = PostgresLog.open(place.postgres_url)
    yield Shop(log)
    log.close()


@contextmanager
def projector(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    process = started(place)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def started(place: Place) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "DAYBOOK_POSTGRES_URL": place.postgres_url,
        "DAYBOOK_REDIS_URL": place.redis_url,
        "DAYBOOK_DATA_DIR": str(place.data_dir),
    }
    log = place.data_dir / "projector.log"
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-c", PROJECTOR], env=environment, stdout=out, stderr=out)


def index_reaches(place: Place, position: int) -> None:
    def reached() -> bool:
        folder = place.data_dir / "index"
        return (folder / "search.json").exists() and TantivyReader(folder).position() >= position

    eventually(reached, f"the index at {position}")


@pytest.mark.slow
def test_killed_under_load_its_views_equal_a_rebuild(kept: Shop, place: Place) -> None:
    for seed in range(4):
        process = started(place)
        until = time.monotonic() + 1.5 + 0.3 * seed
        while time.monotonic() < until:
            kept.bustle(orders=20, seed=seed)
            head = kept.flush()
            time.sleep(0.05)  # A load that leaves something of the machine to the projector.
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    log = place.data_dir / "projector.log"
    killed = log.read_text().count("projector runs")
    with projector(place) as process:
        # The killed ones may have done all the work, and SIGTERM may come before this one answers to it.
        eventually(lambda: log.read_text().count("projector runs") > killed, "it runs")
        views_reach(place.redis_url, head)
        index_reaches(place, head)
    assert process.returncode == 0, "SIGTERM is a clean stop"
    views_equal_a_rebuild(kept.log, place.redis_url)


@pytest.mark.slow
def test_a_second_projector_waits_for_the_first(kept: Shop, place: Place) -> None:
    kept.bustle(orders=5)
    head = kept.flush()
    with projector(place) as first:
        views_reach(place.redis_url, head)  # So it is the first that has the lock.
        with projector(place):
            log = place.data_dir / "projector.log"
            eventually(lambda: "waiting for its lock" in log.read_text(), "the second waits")
            first.kill()
            kept.bustle(orders=5)
            views_reach(place.redis_url, kept.flush())
    views_equal_a_rebuild(kept.log, place.redis_url)


@pytest.mark.slow
def test_an_event_nobody_knows_ends_the_process_loudly(kept: Shop, place: Place) -> None:
    kept.records_raw(NewEvent("mystery-1", "mystery.happened", 1, b"{}"))
    kept.flush()

    with projector(place) as process:
        assert process.wait(20) != 0
    assert "position 1, mystery.happened" in (place.data_dir / "projector.log").read_text()


@pytest.mark.slow
def test_operators_see_where_views_stand_and_rebuild_them(kept: Shop, place: Place, redis: Redis) -> None:
    kept.bustle(orders=30)
    head = kept.flush()

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(projections_group, list(arguments), obj=place, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "not ready" in said("status")
    with projector(place):
        views_reach(place.redis_url, head)
        index_reaches(place, head)
        before = json.loads(said("status", "--json"))
        assert {each["view"] for each in before} == set(NAMES)
        assert {(each["version"], each["position"], each["lag"]) for each in before} == {(1, head, 0)}

        asked = said("rebuild", "all")

        assert asked.count(" 0 differ") == len(NAMES), asked
        assert {each["version"] for each in json.loads(said("status", "--json"))} == {2}
    assert "version 3" in said("rebuild", "order"), "no projector runs: the command does it itself"
    assert "version 3" in said("rebuild", "search")
    assert json.loads(redis.get("view:order"))["version"] == 3
    assert json.loads(redis.get("view:product"))["version"] == 2
    views_equal_a_rebuild(kept.log, place.redis_url)


@pytest.mark.slow
def test_a_rebuild_does_not_wait_for_a_projector_that_stands_still(
    kept: Shop, place: Place, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_SILENCE_SECONDS_MAX", 0.5)
    monkeypatch.setattr(operate, "_PATIENCE_SECONDS", 1.5)
    kept.bustle(orders=5)
    head = kept.flush()

    def rebuilt() -> Result:
        return CliRunner().invoke(projections_group, ["rebuild", "order"], obj=place, catch_exceptions=False)

    with projector(place) as process:
        views_reach(place.redis_url, head)
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
    kept: Shop, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_SILENCE_SECONDS_MAX", 0.3)
    projectors_lock = kept.log.try_exclusive("projector")
    assert projectors_lock is not None
    requests = RedisRequests(place.redis_url)
    heard: list[Progress] = []

    def taken() -> Request:
        while not (asked := requests.take()):
            time.sleep(0.01)
        return asked[0]

    def asking() -> list[Progress]:
        addresses = {"postgres_url": place.postgres_url, "redis_url": place.redis_url}
        return operate.rebuild_views(["order"], **addresses, data_dir=place.data_dir, report=heard.append)

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
    kept: Shop, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_PATIENCE_SECONDS", 1.5)
    kept.bustle(orders=5)
    kept.flush()
    (place.data_dir / "no folder").write_text("")
    nowhere = dataclasses.replace(place, data_dir=place.data_dir / "no folder")
    result = CliRunner().invoke(projections_group, ["rebuild", "search"], obj=nowhere, catch_exceptions=False)
    assert (result.exit_code, "search: not rebuilt: its store was away" in result.stdout) == (1, True)


@pytest.mark.parametrize("foreign", [b"nonsense", b"{}"])
def test_a_strangers_request_is_passed_over(redis: Redis, place: Place, foreign: bytes) -> None:
    requests = RedisRequests(place.redis_url)
    redis.set("rebuild:requests", foreign)
    assert requests.take() == []
    redis.rpush("rebuild:requests", foreign)
    asked = requests.ask("order")
    assert requests.take() == [asked]
    redis.set(f"rebuild:{asked.id}", foreign)
    assert requests.last_progress(asked) is None
    requests.close()
