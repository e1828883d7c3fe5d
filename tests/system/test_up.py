"""`daybook up`: one command runs everything, and whatever dies comes back where it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest
from redis import Redis

from deploy.local.logs.log_files import LOGS_BYTES_MAX
from deploy.local.supervision.child_processes import lives
from tests.system.running import RunningSystem, call, daybook, refused, tried
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

EVERYONE = {"postgres", "redis", "commands", "projector", "query"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where other users may walk through, as in an ordinary home or a container."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-system-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def system(folder: Path) -> Iterator[RunningSystem]:
    """One that runs through the tests of this file, killed parts and all."""
    system = RunningSystem(folder / "data", "--commands", "2")
    try:
        system.wait_ready()
        yield system
    finally:
        system.end()


def wait_works(system: RunningSystem, sku: str) -> None:
    """Until both sides are ready again, what was listed is read, and what is listed now, too."""
    for side in ("read", "commands"):
        wait_until(lambda side=side: call(f"{system.addresses[side]}/health/ready")[0] == 200)
    wait_until(lambda: can_be_read(system, sku))
    after = list_product(system)
    wait_until(lambda: can_be_read(system, after))


def list_product(system: RunningSystem) -> str:
    sku = f"MUG-{uuid4().hex[:8]}"
    product = {"sku": sku, "title": "Mug", "description": "", "category": "Kitchen > Mugs", "attributes": {}}
    body = product | {"price": {"amount": 1299, "currency": "GBP"}}
    key = f"list-{sku}-once-only"
    answers: list[tuple[int, Any]] = []

    def is_final() -> bool:  # A client that is told to come back comes back, with the same key.
        answers.append(call(f"{system.addresses['commands']}/api/v1/products", body, key=key))
        return answers[-1][0] != 503

    wait_until(is_final, why=lambda: str(answers[-1]))
    assert answers[-1][0] == 201, answers[-1]
    return sku


def can_be_read(system: RunningSystem, sku: str) -> bool:
    return call(f"{system.addresses['read']}/api/v1/products/{sku}")[0] == 200


def test_it_is_ready_and_answers_on_both_sides(system: RunningSystem) -> None:
    assert set(system.children()) == EVERYONE
    for side in ("commands", "read"):
        assert call(f"{system.addresses[side]}/health/ready")[0] == 200
    sku = list_product(system)
    wait_until(lambda: can_be_read(system, sku))


def test_every_child_has_its_own_session(system: RunningSystem) -> None:
    children = system.children()
    assert children.keys() == set(EVERYONE)
    sessions = [os.getsid(child.pid) for some in children.values() for child in some]
    assert sessions == [child.pid for some in children.values() for child in some]
    assert os.getsid(system.process.pid) not in sessions


def test_the_query_process_can_neither_write_to_the_log_nor_read_its_keys(
    system: RunningSystem,
) -> None:
    url = system.children()["query"][0].environ()["DAYBOOK_POSTGRES_URL"]
    assert url.startswith("postgresql://daybook_feed@")
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT key FROM daybook.subject_keys")
    assert call(f"{system.addresses['read']}/api/v1/events?limit=1")[0] == 200


def test_other_commands_find_it_by_its_folder(system: RunningSystem) -> None:
    sku = list_product(system)
    done = daybook("events", "tail", "--after", "0", "--no-follow", "--data", str(system.data))
    assert done.returncode == 0, done.stderr
    assert sku in done.stdout
    by_variable = daybook("replays", "verify", environment={"DAYBOOK_DATA_DIR": str(system.data)})
    assert by_variable.returncode == 0, by_variable.stderr


def test_a_second_one_on_the_same_folder_is_refused(system: RunningSystem) -> None:
    assert "another `daybook up` is running" in refused(system.data)
    assert call(f"{system.addresses['commands']}/health/ready")[0] == 200


@pytest.mark.parametrize("name", sorted(EVERYONE))
def test_a_killed_child_is_started_again_and_nothing_is_lost(system: RunningSystem, name: str) -> None:
    sku = list_product(system)
    before = system.children()[name]
    before[0].kill()

    def replaced() -> bool:
        now = system.children().get(name, [])
        return before[0] not in now and len(now) == len(before)

    wait_until(replaced)
    wait_works(system, sku)


def test_read_models_that_are_damaged_while_everything_runs_come_back(system: RunningSystem) -> None:
    sku = list_product(system)
    wait_until(lambda: can_be_read(system, sku))

    def found() -> bool:
        status, answer = call(f"{system.addresses['read']}/api/v1/search?q={sku}")
        return status == 200 and [item["sku"] for item in answer["items"]] == [sku]

    wait_until(found)
    for file in (system.data / "index").glob("search.v*/*.*"):
        os.truncate(file, file.stat().st_size // 2)
    with Redis.from_url(system.addresses["redis"]) as redis:
        for key in redis.scan_iter():
            redis.set(key, "not ours")
    after = list_product(system)
    wait_until(lambda: found() and can_be_read(system, sku) and can_be_read(system, after))


def test_servers_whose_sockets_are_swept_away_are_reached_again(system: RunningSystem) -> None:
    sku = list_product(system)
    folder = Path(system.addresses["redis"].removeprefix("unix://")).parent
    sockets = {path.name for path in folder.iterdir()}
    shutil.rmtree(folder)
    wait_until(
        lambda: folder.exists() and {path.name for path in folder.iterdir()} == sockets,
        why=lambda: f"{sockets}, {list(folder.glob('*'))}: {system.complained}",
    )
    wait_works(system, sku)


def test_a_log_is_bounded_while_its_process_runs(system: RunningSystem) -> None:
    log = system.data / "logs" / "query.log"
    os.truncate(log, 3 * LOGS_BYTES_MAX)  # Without a byte on the disk: a hole.
    wait_until(lambda: sum(file.stat().st_size for file in log.parent.iterdir()) < LOGS_BYTES_MAX)
    assert log.stat().st_size < LOGS_BYTES_MAX


def test_the_three_things_to_try_work_as_they_are_printed(system: RunningSystem) -> None:
    assert '"status":"confirmed"' in tried(system).replace(" ", "")


def test_stopping_it_stops_all_and_only_its_own(folder: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        system = RunningSystem(folder / "stopped")
        try:
            system.wait_ready()
            sku = list_product(system)
            family = system.family()
            assert len(family) > len(EVERYONE)
            system.process.send_signal(signal.SIGTERM)
            system.process.send_signal(signal.SIGTERM)
            assert system.stop(signal.SIGINT) == 0
            assert [one for one in family if lives(one)] == []
            assert stranger.poll() is None
            assert not (folder / "stopped" / "run" / "addresses.json").exists()

            again = RunningSystem(folder / "stopped")
            try:
                again.wait_ready()
                wait_until(lambda: can_be_read(again, sku))
            finally:
                again.end()
        finally:
            stranger.kill()
            system.end()


@pytest.mark.parametrize("killed", ["supervisor", "all"])
def test_what_was_killed_leaves_nothing_running_and_a_new_one_goes_on(folder: Path, killed: str) -> None:
    data = folder / f"killed-{killed}"
    first = RunningSystem(data)
    try:
        first.wait_ready()
        sku = list_product(first)
        family = first.family()
        first.process.kill()
        for one in family if killed == "all" else ():
            with suppress(psutil.NoSuchProcess):  # It was quicker to see its parent die.
                one.kill()
        first.process.wait()
        second = RunningSystem(data)
        try:
            second.wait_ready()
            wait_until(lambda: can_be_read(second, sku))
            assert [one for one in family if lives(one)] == []
        finally:
            second.end()
    finally:
        first.end()


def test_what_runs_leaves_no_port_open_but_its_two(system: RunningSystem) -> None:
    listening = {
        (one.laddr.ip, one.laddr.port)
        for process in [psutil.Process(system.process.pid), *system.family()]
        for one in process.net_connections(kind="inet")
        if one.status == psutil.CONN_LISTEN
    }
    wanted = {("127.0.0.1", int(system.addresses[side].rpartition(":")[2])) for side in ("commands", "read")}
    assert listening == wanted


@pytest.mark.parametrize("seconds", [0.4, 1.2])
def test_it_can_be_stopped_while_it_starts(folder: Path, seconds: float) -> None:
    system = RunningSystem(folder / f"early-{seconds}")
    try:
        wait_until(lambda: "starting" in system.complained)
        time.sleep(seconds)
        family = system.family()
        assert system.stop() == 0, system.complained
        _, alive = psutil.wait_procs(family, timeout=SECONDS_MAX)
        assert alive == []
    finally:
        system.end()


def test_given_addresses_replace_servers_of_its_own(
    folder: Path, fresh_postgres: str, fresh_redis: str
) -> None:
    given = {"DAYBOOK_POSTGRES_URL": fresh_postgres, "DAYBOOK_REDIS_URL": fresh_redis}
    system = RunningSystem(folder / "given", environment=given)
    try:
        system.wait_ready()
        assert set(system.children()) == {"commands", "projector", "query"}
        sku = list_product(system)
        wait_until(lambda: can_be_read(system, sku))
        assert (
            "default_transaction_read_only" in system.children()["query"][0].environ()["DAYBOOK_POSTGRES_URL"]
        )
        assert call(f"{system.addresses['read']}/api/v1/events")[0] == 200
        assert not (folder / "given" / "postgres").exists()
        assert system.stop() == 0
    finally:
        system.end()
    with psycopg.connect(fresh_postgres) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM daybook.events").fetchone() == (True,)


def test_make_run_passes_the_signal_on(folder: Path) -> None:
    environment = dict(os.environ) | {"DAYBOOK_COMMANDS_PORT": "0", "DAYBOOK_READ_PORT": "0"}
    data = folder / "made"
    make = subprocess.Popen(
        ["make", "--silent", "run", f"ARGS=--data {data}"],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert make.stdout is not None
        assert any("Daybook is ready." in line for line in make.stdout)
        family = psutil.Process(make.pid).children(recursive=True)
        make.terminate()
        make.wait(timeout=SECONDS_MAX)
        _, alive = psutil.wait_procs(family, timeout=SECONDS_MAX)
        assert alive == []
        assert make.stdout.read().count("Traceback") == 0
    finally:
        make.kill()
        make.communicate()
