"""What happens to a process that dies, that will not stay up, and that outlives its supervisor."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import FolderUnusable, ServerFailed
from deploy.local.logs.display import Display
from deploy.local.supervision import supervisor as supervision
from deploy.local.supervision.child_processes import Program
from deploy.local.supervision.orphans import ProcessRecord
from deploy.local.supervision.supervisor import Supervisor
from event_store.retries import RetryPolicy
from tests.waiting import SECONDS_MAX

QUICK = RetryPolicy(pause_first=0.01, pause_max=0.01)
STAYS = "import time; time.sleep(600)"


def program(folder: Path, code: str, *, seconds_to_obey: float = 5.0) -> Program:
    return Program(
        name="tried",
        command=[sys.executable, "-c", code],
        log=folder / "tried.log",
        environment=dict(os.environ),
        stop_signals=((signal.SIGTERM, seconds_to_obey),),
    )


@asynccontextmanager
async def supervising(folder: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(ProcessRecord(folder), Display())
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, supervisor.check_exit)
    try:
        yield supervisor
    finally:
        await supervisor.stop(supervisor.all)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)


def run(folder: Path, test: Callable[[Supervisor], Awaitable[None]]) -> None:
    async def main() -> None:
        async with supervising(folder) as supervisor:
            await asyncio.wait_for(test(supervisor), timeout=SECONDS_MAX)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(program(tmp_path, STAYS))
        await process.started.wait()
        first = process.process
        first.kill()
        await until(lambda: process.process is not first)
        assert process.process.poll() is None
        assert not supervisor.failure.done()

    run(tmp_path, test)


def test_what_will_not_stay_up_is_given_up_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "RETRIES", RetryPolicy(pause_first=0.2, pause_max=0.3))

    async def test(supervisor: Supervisor) -> None:
        supervisor.supervise(
            program(tmp_path, "import sys; print('started', flush=True); sys.exit('the disk is full')")
        )
        with pytest.raises(ServerFailed, match=r"will not stay up.*exit code 1: the disk is full"):
            await supervisor.failure

    run(tmp_path, test)
    starts = (tmp_path / "tried.log").read_text().count("started")
    assert starts == supervision.SHORT_RUNS_MAX


def test_once_the_system_runs_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "RETRIES", QUICK)
    room = tmp_path / "room"
    code = f"import os, sys; os.path.exists({str(room)!r}) or sys.exit('the disk is full'); {STAYS}"

    async def test(supervisor: Supervisor) -> None:
        supervisor.starting = False
        neighbor = supervisor.supervise(program(tmp_path, STAYS))
        process = supervisor.supervise(program(tmp_path, code))
        runs = set()

        def tried(times: int) -> bool:
            runs.add(process.process.pid)
            return len(runs) > times

        await asyncio.gather(process.started.wait(), neighbor.started.wait())
        await until(lambda: tried(supervision.SHORT_RUNS_MAX + 1))
        room.touch()
        steady = len(runs) + 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(until(lambda: tried(steady)), timeout=1)
        assert process.process.poll() is None
        assert neighbor.process.poll() is None
        assert not supervisor.failure.done()

    run(tmp_path, test)


def test_what_is_not_critical_is_not_given_up_while_the_system_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "RETRIES", QUICK)

    async def test(supervisor: Supervisor) -> None:
        supervisor.supervise(program(tmp_path, "print('started')"), is_critical=False)
        log = tmp_path / "tried.log"
        runs = supervision.SHORT_RUNS_MAX + 2
        await until(lambda: log.exists() and log.read_text().count("started") == runs)
        assert not supervisor.failure.done()

    run(tmp_path, test)


def test_what_cannot_even_be_started_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "RETRIES", RetryPolicy(pause_first=0.01, pause_max=10.0))
    tries = []

    def prepare() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise FolderUnusable("no room")

    async def test(supervisor: Supervisor) -> None:
        supervisor.starting = False
        process = supervisor.supervise(program(tmp_path, STAYS), prepare=prepare)
        await process.started.wait()
        assert len(tries) == 3

    run(tmp_path, test)


def test_notes_and_logs_that_cannot_be_written_keep_nobody_from_running(tmp_path: Path) -> None:
    (tmp_path / "processes.new").symlink_to("/dev/full")
    (tmp_path / "tried.log").mkdir()  # A log that cannot be opened.

    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(program(tmp_path, STAYS))
        await process.started.wait()
        assert process.process.poll() is None

    run(tmp_path, test)


def test_what_is_killed_now_and_then_is_never_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "RETRIES", QUICK)
    monkeypatch.setattr(supervision, "SHORT_SECONDS", 0.05)

    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(program(tmp_path, STAYS))
        await process.started.wait()
        for _ in range(supervision.SHORT_RUNS_MAX + 2):
            await asyncio.sleep(0.1)  # Longer than a short life.
            run_before = process.process
            run_before.kill()
            await until(lambda run_before=run_before: process.process is not run_before)  # type: ignore[misc]
        assert not supervisor.failure.done()

    run(tmp_path, test)


def test_pauses_between_starts_grow(tmp_path: Path) -> None:
    code = "import time; print(time.time(), flush=True)"

    async def test(supervisor: Supervisor) -> None:
        supervisor.supervise(program(tmp_path, code))
        log = tmp_path / "tried.log"
        await until(lambda: log.exists() and log.read_text().count("\n") == 4)

    run(tmp_path, test)
    times = [float(line) for line in (tmp_path / "tried.log").read_text().split()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    assert pauses[2] >= 0.8


@pytest.mark.parametrize("code", [0, 1])
def test_what_runs_once_is_done_when_it_ends_by_itself(tmp_path: Path, code: int) -> None:
    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(
            program(tmp_path, f"print('once'); raise SystemExit({code})"), runs_once=True
        )
        assert process.task is not None
        await process.task
        assert process.process.returncode == code

    run(tmp_path, test)
    assert (tmp_path / "tried.log").read_text() == "once\n"


def test_one_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {STAYS}"

    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(program(tmp_path, code, seconds_to_obey=0.3))
        await until(
            lambda: (tmp_path / "tried.log").exists() and "deaf" in (tmp_path / "tried.log").read_text()
        )
        await process.stop()
        assert process.process.returncode == -signal.SIGKILL

    run(tmp_path, test)


def test_one_that_was_stopped_ends_in_order_all_the_same(tmp_path: Path) -> None:
    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(program(tmp_path, STAYS))
        await process.started.wait()
        process.process.send_signal(signal.SIGSTOP)
        await process.stop()
        assert process.process.returncode == -signal.SIGTERM

    run(tmp_path, test)


def test_an_orphan_that_was_stopped_is_ended_in_order(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = f"""
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(pathlib.Path({str(marker)!r}).touch()))
print("ready", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        left.stdout.readline()
        record = ProcessRecord(tmp_path)
        record.started(left.pid)
        left.send_signal(signal.SIGSTOP)
        assert ProcessRecord(tmp_path).end_orphans() == 1
    assert marker.exists()


def test_stopping_during_a_pause_starts_nothing_more(tmp_path: Path) -> None:
    async def test(supervisor: Supervisor) -> None:
        process = supervisor.supervise(program(tmp_path, "print('started')"))
        await until(lambda: process.started.is_set() and process.process.poll() is not None)
        await process.stop()
        await asyncio.sleep(0.5)  # Absence: longer than the pause.

    run(tmp_path, test)
    assert (tmp_path / "tried.log").read_text().count("started") == 1


def test_children_have_their_own_session_and_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    parent = f"""
import time
from pathlib import Path
from deploy.local.supervision.child_processes import Program, spawn
import os, sys
command = [sys.executable, "-c", {STAYS!r}]
log = Path({str(tmp_path / "log")!r})
child = spawn(Program(name="child", command=command, log=log, environment=dict(os.environ)))
print(child.pid, os.getsid(child.pid), flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid, session = map(int, supervisor.stdout.readline().split())
        assert session == pid
        child = psutil.Process(pid)
        supervisor.kill()
        supervisor.wait()
    child_gone, _ = psutil.wait_procs([child], timeout=SECONDS_MAX)
    assert child_gone


def test_an_orphan_is_known_again_after_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", STAYS]) as left:
        ProcessRecord(tmp_path).started(left.pid)
        booted = psutil.boot_time()
        # The system reckons when it was started by the clock as it is set now.
        monkeypatch.setattr("psutil._psplatform.boot_time", lambda: booted + 3_600)
        assert ProcessRecord(tmp_path).end_orphans() == 1


def test_orphans_are_ended_by_number_and_start_time_only(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", STAYS]) as left,
        subprocess.Popen([sys.executable, "-c", STAYS]) as stranger,
    ):
        try:
            record = ProcessRecord(tmp_path)
            record.started(left.pid)
            record.started(stranger.pid)
            file = tmp_path / "processes.json"
            recorded = json.loads(file.read_text())
            recorded[str(stranger.pid)] -= 5
            file.write_text(json.dumps(recorded))
            assert ProcessRecord(tmp_path).end_orphans() == 1
            left.wait(timeout=SECONDS_MAX)
            assert stranger.poll() is None
        finally:
            left.kill()
            stranger.kill()
