"""The process managers: they follow the log and do what is due, in one command process at a time.

Payment: an open step is a call of the gateway, its answer a command. Expiry: an order whose payment is
undecided when its time is over is given up. Whichever process holds the lock does the work; when it dies,
another finds all of it in the log.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from prometheus_client import Gauge

from commands.gateway import Gateway
from commands.processes.calls import GatewayCalls, Patience
from commands.processes.following import WAIT_SECONDS_MAX, Following, Handles
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.records import EventLog, Exclusive

log_lines = structlog.get_logger("commands.processes")

LOCK = "processes"

LEADING = Gauge("daybook_processes_leading", "1 where this process runs the process managers")


def utc_now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def end_this_process() -> None:
    """Stops the server in order; its supervisor starts it anew."""
    signal.raise_signal(signal.SIGTERM)


class ProcessManagers:
    """Runs as long as the context is entered, and works while it holds the lock.

    Where the log cannot be followed by our mistake, calls `failed` and raises when the context is left.
    """

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        handling: Handles,
        gateway: Gateway,
        *,
        clock: Callable[[], datetime] = utc_now,
        patience: Patience | None = None,
        failed: Callable[[], None] = end_this_process,
    ) -> None:
        self._log = log
        self._codec = codec
        self._handling = handling
        self._gateway = gateway
        self._clock = clock
        self._patience = patience or Patience()
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, "processes")
        self._run_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ProcessManagers:
        self._run_task = asyncio.create_task(self._run(), name="process managers")
        self._run_task.add_done_callback(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._run_task is not None
        self._run_task.cancel()
        await asyncio.wait((self._run_task,))
        await asyncio.to_thread(self._thread.shutdown)
        if not self._run_task.cancelled() and (error := self._run_task.exception()) is not None:
            raise error

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log_lines.critical("process_managers_failed", exc_info=error)
            self._failed()

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                lock = await self._take_lock()
                tries = 0
                if lock is not None:
                    await self._lead(lock)
                await asyncio.sleep(WAIT_SECONDS_MAX)
            except StoreUnavailable as error:
                tries += 1
                log_lines.warning("log_away", error=str(error))
                await asyncio.sleep(self._patience.pause(tries))

    async def _take_lock(self) -> Exclusive | None:
        """The lock, or None while another process holds it. A stop meanwhile does not leave it taken."""
        taking = asyncio.get_running_loop().run_in_executor(self._thread, self._log.try_exclusive, LOCK)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            if (lock := await taking) is not None:
                lock.release()
            raise

    async def _lead(self, lock: Exclusive) -> None:
        calls = GatewayCalls(self._gateway, self._patience)
        following = Following(
            self._log,
            self._codec,
            self._handling,
            calls,
            clock=self._clock,
            patience=self._patience,
            thread=self._thread,
        )
        LEADING.set(1)
        log_lines.info("processes_leading")
        try:
            await following.follow(lock)
        finally:
            LEADING.set(0)
            calls.close()
            await following.stop()
            # Behind whatever call is still under way in that thread: nothing is read without the lock.
            self._thread.submit(lock.release)
