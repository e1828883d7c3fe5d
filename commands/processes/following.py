"""Following the log and doing what is due: the work of the one process that holds the lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import structlog
from prometheus_client import Gauge

from commands.decision import Actor, Answer, Context
from commands.payments import ExpireOrder
from commands.processes.calls import GatewayCalls, Patience
from commands.processes.open_work import EVENT_NAMES, Cause, OpenStep, OpenWork, UnpaidOrder
from event_store.codec import Codec
from event_store.records import EventLog, Exclusive

log_lines = structlog.get_logger("commands.processes")

CHECKPOINT = "processes"
ACTOR = Actor("process", "payment")
CHANNEL = "process"

PAGE = 5_000
WAIT_SECONDS_MAX = 1.0
"""Bounds how late a lost lock is noticed, and how long a stop takes."""
ROUND_SECONDS_MIN = 0.01
"""A busy log wakes us no more often than this: what came meanwhile is read in one go."""
CHECKPOINT_SECONDS = 1.0
"""How often the checkpoint is saved; what is read again after a crash costs nothing but reading."""

STEPS_OPEN = Gauge("daybook_process_steps_open", "Gateway calls begun and not yet answered")
ORDERS_UNPAID = Gauge("daybook_orders_unpaid", "Orders whose units are kept while payment is undecided")


class Handles(Protocol):
    """Whoever decides and appends commands: `commands.handling.Handling`."""

    async def handle(self, command: Any, context: Context) -> Answer:
        """Returns once the outcome is durable."""


class Following:
    """Keeps what is open, and a task for each piece of work under way.

    `thread` runs the log's blocking calls, one at a time.
    """

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        handling: Handles,
        calls: GatewayCalls,
        *,
        clock: Callable[[], datetime],
        patience: Patience,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._log = log
        self._codec = codec
        self._handling = handling
        self._calls = calls
        self._clock = clock
        self._patience = patience
        self._thread = thread
        self._running: dict[str, asyncio.Task[None]] = {}

    async def follow(self, lock: Exclusive) -> None:
        """Reads to the head, does what is due, waits for more; returns once the lock is lost."""
        loop = asyncio.get_running_loop()
        work = OpenWork(await self._in_thread(self._log.checkpoint, CHECKPOINT))
        head = await self._in_thread(self._log.head)
        saved, checked_at = work.position, loop.time()
        while True:
            await self._read(work, head)
            self._start_due(work)
            STEPS_OPEN.set(work.steps_open)
            ORDERS_UNPAID.set(work.orders_unpaid)
            if loop.time() - checked_at >= CHECKPOINT_SECONDS:
                checked_at = loop.time()
                if not await self._in_thread(lock.still_held):
                    return
                if (reached := work.checkpoint) > saved:
                    await self._in_thread(self._log.save_checkpoint, CHECKPOINT, reached)
                    saved = reached
            await asyncio.sleep(ROUND_SECONDS_MIN)
            waiting = partial(self._log.wait, after=work.position, timeout_seconds=self._waiting_time(work))
            head = await self._in_thread(waiting)

    async def stop(self) -> None:
        """Ends what is under way; it is found in the log again."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _read(self, work: OpenWork, head: int) -> None:
        while work.position < head:
            read = partial(self._log.read_all, after=work.position, limit=PAGE, types=EVENT_NAMES, up_to=head)
            page = await self._in_thread(read)
            for recorded in page:
                work.evolve(recorded, self._codec.decode(recorded))
            if len(page) < PAGE:
                work.position = head

    def _start_due(self, work: OpenWork) -> None:
        """Starts what is due and not under way; a step ended but not yet read is not begun again."""
        due = {step.key: step for step in work.due_steps()}
        for key in [key for key, task in self._running.items() if task.done() and key not in due]:
            del self._running[key]
        for key, step in due.items():
            self._start(key, step.cause, partial(self._settle, step))
        now = self._clock()
        for unpaid in work.take_expired(now):
            self._start(f"expire-{unpaid.order_id}", unpaid.cause, partial(self._expire, unpaid, now))

    def _start(self, key: str, cause: Cause, do: Callable[[], Awaitable[None]]) -> None:
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._until_done(key, cause, do), name=key)

    async def _until_done(self, key: str, cause: Cause, do: Callable[[], Awaitable[None]]) -> None:
        """Tries again with growing pauses, whatever went wrong.

        The work stays open, in the log and in the metrics, until it is done; one order that fails by our
        mistake must not keep every other order's money waiting.
        """
        tries = 0
        while True:
            tries += 1
            try:
                await do()
            except Exception:
                pause = self._patience.pause(tries)
                log_lines.exception(
                    "work_not_done", work=key, tries=tries, pause_seconds=pause, trace_id=cause.correlation
                )
                await asyncio.sleep(pause)
            else:
                return

    async def _settle(self, step: OpenStep) -> None:
        """Calls the gateway for the step and has its answer recorded."""
        command = await self._calls.answer_to(step, lambda: self._clock().date())
        await self._hand_in(command, step.cause)

    async def _expire(self, unpaid: UnpaidOrder, now: datetime) -> None:
        """Gives the order up, unless its payment was decided meanwhile.

        `now` is the moment at which it was found expired: nobody looks again if the clock is set back.
        """
        log_lines.info("reservation_over", order_id=unpaid.order_id, trace_id=unpaid.cause.correlation)
        await self._hand_in(ExpireOrder(order_id=unpaid.order_id, now=now), unpaid.cause)

    async def _hand_in(self, command: Any, cause: Cause) -> None:
        context = Context(
            actor=ACTOR,
            channel=CHANNEL,
            correlation=cause.correlation,
            causation=f"event:{cause.position}",
        )
        await self._handling.handle(command, context)

    def _waiting_time(self, work: OpenWork) -> float:
        expiry = work.next_expiry()
        if expiry is None:
            return WAIT_SECONDS_MAX
        return min(WAIT_SECONDS_MAX, max(0.0, (expiry - self._clock()).total_seconds()))

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
