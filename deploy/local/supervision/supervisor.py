"""Supervises processes: each is started again when it dies, after pauses that grow while it keeps failing.

Only a critical process is given up, and only while the system starts, so that the operator reads why. Any
other failure leaves the other processes at work: its cause may pass.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable

from deploy.local.errors import CannotRun, ServerFailed, StartsOver
from deploy.local.logs.display import Display
from deploy.local.supervision.child_processes import Program, last_line, spawn, stop
from deploy.local.supervision.orphans import ProcessRecord
from event_store.retries import RetryPolicy

RETRIES = RetryPolicy(pause_first=0.2, pause_max=10.0)
STEADY_SECONDS = 30.0  # up for this long, it counts as healthy again
SHORT_SECONDS = 5.0  # a run shorter than this counts as failed
SHORT_RUNS_MAX = 6  # in a row
UNSTEADY_RUNS_MAX = 20  # in a row, none of them steady


class SupervisedProcess:
    """One program and its process, for as long as the system runs."""

    def __init__(
        self,
        program: Program,
        *,
        record: ProcessRecord,
        display: Display,
        prepare: Callable[[], None] = lambda: None,
        runs_once: bool = False,
        may_give_up: Callable[[], bool] = lambda: True,
    ) -> None:
        """`prepare` runs before each start, in a thread. One that `runs_once` is done when it ends by itself,
        well or not; killed, it is started again like all others."""
        self.program = program
        self._record = record
        self._display = display
        self._prepare = prepare
        self._runs_once = runs_once
        self._may_give_up = may_give_up
        self._process: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._stopping = False
        self._pauses = RETRIES.pauses()
        self._short_runs = 0
        self._unsteady_runs = 0
        self.started = asyncio.Event()
        self.start_failed = asyncio.Event()  # It could not even be started, once at least.
        self.task: asyncio.Task[None] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.program.name} was not started")
        return self._process

    async def run(self) -> None:
        """Until stopped, or done. While it may be given up, raises ServerFailed when it will not stay up, and
        what keeps it from being started at all."""
        while True:
            began = time.monotonic()
            try:
                await self._run_once()
            except (CannotRun, OSError) as error:
                if self._may_give_up():
                    raise
                reason = f"it cannot be started: {error}"
                self.start_failed.set()
            else:
                if self._stopping or (self._runs_once and self.process.returncode >= 0):
                    return
                reason = f"{_ending(self.process.returncode)}: {last_line(self.program.log)}"
            await self._back_off(reason, lasted=time.monotonic() - began)

    async def _run_once(self) -> None:
        """One run of the process, from its start to its end."""
        await asyncio.to_thread(self._prepare)
        self._exited.clear()
        self._process = spawn(self.program)
        self._record.started(self._process.pid)
        self.started.set()
        self.check_exit()
        await self._exited.wait()
        self._record.ended(self._process.pid)

    def check_exit(self) -> None:
        """A child of ours ended: checks whether it was this one."""
        if self._process is not None and self._process.poll() is not None:
            self._exited.set()

    async def stop(self) -> None:
        """End the process and its supervision. Returns when it is gone."""
        self._stopping = True
        if self.task is None:
            return
        if self._process is not None and self._process.poll() is None:
            await asyncio.to_thread(stop, self.program, self._process)
            self._exited.set()
        else:
            self.task.cancel()
        await asyncio.wait({self.task})

    async def _back_off(self, reason: str, *, lasted: float) -> None:
        name = self.program.name
        if lasted >= STEADY_SECONDS:
            self._pauses = RETRIES.pauses()
        self._short_runs = self._short_runs + 1 if lasted < SHORT_SECONDS else 0
        self._unsteady_runs = self._unsteady_runs + 1 if lasted < STEADY_SECONDS else 0
        if self._short_runs == SHORT_RUNS_MAX or self._unsteady_runs == UNSTEADY_RUNS_MAX:
            if self._may_give_up():
                raise ServerFailed(f"{name} will not stay up, {reason} (log: {self.program.log})")
            self._display.show(f"will not stay up (log: {self.program.log})", process=name, level="error")
        pause = next(self._pauses)
        self._display.show(f"{reason}; starting again in {pause:.1f} s", process=name, level="warning")
        await asyncio.sleep(pause)


class Supervisor:
    """All programs of one system."""

    def __init__(self, record: ProcessRecord, display: Display) -> None:
        self.all: list[SupervisedProcess] = []
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.starting = True
        """While this is so, a critical one that will not stay up is given up; `failure` bears the error."""
        self._record = record
        self._display = display

    def supervise(
        self,
        program: Program,
        *,
        prepare: Callable[[], None] = lambda: None,
        runs_once: bool = False,
        is_critical: bool = True,
    ) -> SupervisedProcess:
        """Start it and supervise it from now on; one that is not critical is never given up."""
        supervised = SupervisedProcess(
            program,
            record=self._record,
            display=self._display,
            prepare=prepare,
            runs_once=runs_once,
            may_give_up=lambda: self.starting and is_critical,
        )
        self.all.append(supervised)
        supervised.task = asyncio.create_task(supervised.run(), name=program.name)
        supervised.task.add_done_callback(self._ended)
        return supervised

    def check_exit(self) -> None:
        for supervised in self.all:
            supervised.check_exit()

    async def stop(self, processes: list[SupervisedProcess]) -> None:
        """End these, all at once."""
        await asyncio.gather(*(supervised.stop() for supervised in processes))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.failure.done():
            return
        error = task.exception()
        if error is not None:
            self.failure.set_exception(error)


async def wait_until_ready(
    supervised: SupervisedProcess, check: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    """Wait for the first start, then for `check`, which blocks until the process answers or has ended.

    A process that is killed while starting was started again meanwhile: the new one is waited for.
    """
    await supervised.started.wait()
    while True:
        process = supervised.process
        try:
            return await asyncio.to_thread(check, process)
        except CannotRun as error:
            if not isinstance(error, StartsOver) and (process.returncode is None or process.returncode >= 0):
                raise  # It ended by itself: its last line is the reason.
            while supervised.process is process:
                await asyncio.sleep(0.05)


def _ending(code: int) -> str:
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it ended with exit code {code}"
