"""The process managers: one for each kind of process, each following the log while it holds the kind's lock.

Whichever process of the system holds a kind's lock does the kind's work; when it dies, another finds all of
it in the log. So kinds may also run in different processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import structlog
from prometheus_client import Gauge

from commands.critical_tasks import Ended, end_this_process, error_of, has_failed
from commands.gateways.gateway import Gateway
from commands.processes.coupon_batches import CouponBatches
from commands.processes.credit_expiry import CreditExpiry
from commands.processes.following import WAIT_SECONDS_MAX, Following, Handles
from commands.processes.gateway_payments import ParkedPayments
from commands.processes.hold_expiry import HoldExpiry
from commands.processes.kind import ProcessKind
from commands.processes.owed import Owed
from commands.processes.payment import Payment
from commands.processes.price_list_ends import PriceListEnds
from commands.processes.reservation_expiry import ReservationExpiry
from commands.processes.schedules import Schedules
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.records import EventLog, EventReader, Exclusive
from event_store.retries import RetryPolicy

log_lines = structlog.get_logger("commands.processes")

STOP_SECONDS_MAX = 2.0
"""How long a stop waits for what hears it at once, unless something is wrong."""

RETRIES = RetryPolicy(pause_first=0.2, pause_max=30.0)

LEADING = Gauge("daybook_processes_leading", "1 where this process does the work of the kind", ["process"])


def utc_now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def all_kinds(
    gateway: Gateway, log: EventReader, *, clock: Callable[[], datetime] = utc_now
) -> tuple[ProcessKind, ...]:
    """Every kind of process there is but those of one gateway alone; each has a file of its own."""
    return (
        Payment(gateway, clock=clock),
        ReservationExpiry(clock=clock),
        HoldExpiry(clock=clock),
        ParkedPayments(gateway, clock=clock),
        Owed(),
        CouponBatches(),
        CreditExpiry(),
        Schedules(),
        PriceListEnds(log),
    )


def lock_of(kind: ProcessKind) -> str:
    """The name of the session lock of the process that does the kind's work."""
    return f"process {kind.name}"


class ProcessManagers:
    """Runs as long as the context is entered, and works while it holds locks.

    Where the log cannot be followed by our mistake, calls `failed`, and raises when the context is left.
    """

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        handling: Handles,
        kinds: Sequence[ProcessKind],
        *,
        clock: Callable[[], datetime] = utc_now,
        retry_policy: RetryPolicy = RETRIES,
        failed: Ended = end_this_process,
    ) -> None:
        follow = partial(
            Following, log=log, codec=codec, handling=handling, clock=clock, retry_policy=retry_policy
        )
        self._managers = [_Manager(kind, log, follow, retry_policy) for kind in kinds]
        self._failed = failed
        self._tasks: dict[asyncio.Task[None], _Manager] = {}
        self._stopping = False

    @property
    def lives(self) -> bool:
        """Whether every kind's work is done, here or by the process that holds its lock."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def __aenter__(self) -> ProcessManagers:
        for manager in self._managers:
            task = asyncio.create_task(manager.run(), name=manager.name)
            task.add_done_callback(self._ended)
            self._tasks[task] = manager
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=STOP_SECONDS_MAX)
            await asyncio.gather(*(manager.let_go() for manager in self._managers))
        finally:
            for manager in self._managers:
                manager.close()
        for task in self._tasks:
            if task.done() and (error := error_of(task)) is not None:
                raise error

    def _ended(self, task: asyncio.Task[None]) -> None:
        if has_failed(task, stopping=self._stopping):
            name, error = self._tasks[task].name, error_of(task)
            self._failed(name, error)
            log_lines.critical("process_manager_failed", process=name, exc_info=error)


class _Manager:
    """Takes one kind's lock and does its work, again and again."""

    def __init__(
        self, kind: ProcessKind, log: EventLog, follow: Callable[..., Following], retry_policy: RetryPolicy
    ) -> None:
        self.name = f"process manager {kind.name}"
        self._kind = kind
        self._log = log
        self._retry_policy = retry_policy
        self._thread = ThreadPoolExecutor(1, kind.name)
        self._follow = partial(follow, kind, thread=self._thread)
        self._taking: Future[Exclusive | None] | None = None

    async def run(self) -> None:
        """Until canceled; the lock is then free. Raises what following the log raises by our mistake."""
        pauses = self._retry_policy.pauses()
        while True:
            try:
                lock = await self._take_lock()
                if lock is not None:
                    pauses = self._retry_policy.pauses()
                    await self._lead(lock)
                await asyncio.sleep(WAIT_SECONDS_MAX)
            except StoreUnavailable as error:
                log_lines.warning("log_away", process=self._kind.name, error=str(error))
                await asyncio.sleep(next(pauses))

    async def let_go(self) -> None:
        """Waits for a lock that is still being taken, which is then given back; not for long."""
        if self._taking is not None:
            await asyncio.wait((asyncio.wrap_future(self._taking),), timeout=STOP_SECONDS_MAX)

    def close(self) -> None:
        """Waits for nobody: what its thread is at ends by itself, or when the log is closed."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _take_lock(self) -> Exclusive | None:
        """The lock, or None while another process holds it. Who is canceled meanwhile does not keep it."""
        self._taking = self._thread.submit(self._log.try_exclusive, lock_of(self._kind))
        try:
            return await asyncio.wrap_future(self._taking)
        except asyncio.CancelledError:
            self._taking.add_done_callback(_give_back)
            raise

    async def _lead(self, lock: Exclusive) -> None:
        following = self._follow()
        leading = LEADING.labels(self._kind.name)
        leading.set(1)
        try:
            log_lines.info("process_leading", process=self._kind.name)
            await following.follow(lock)
        finally:
            lock.release()
            leading.set(0)
            if ending := following.stop():
                await asyncio.wait(ending, timeout=STOP_SECONDS_MAX)


def _give_back(taking: Future[Exclusive | None]) -> None:
    if not taking.cancelled() and taking.exception() is None and (lock := taking.result()) is not None:
        lock.release()
