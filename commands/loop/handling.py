"""The handling loop: one per process, deciding at the head of the queue.

Commands are decided one after another, each on the states its forerunners in the batch left, and the whole
batch is appended in one call; what queued while that call was in flight forms the next batch. So buyers of
one SKU, or edits of one cart, never conflict within a process. What another process moved meanwhile is read
anew and decided again, until the command's deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from aggregates.kernel import Rejected
from commands.critical_tasks import Ended, end_this_process, error_of, has_failed
from commands.loop.deciding import Deciding, Handler
from commands.loop.decision import (
    Answer,
    AwaitedStep,
    BusyError,
    Context,
    KeyBusyError,
    KeyReusedError,
    Waiting,
)
from commands.loop.entry_writer import Decided, answer_of_row
from commands.loop.step_ends import StepEnds
from event_store.codec import Codec
from event_store.errors import AnotherLog, EventStoreError, StoreUnavailable
from event_store.records import Appended, EventLog, KeyReused, Moved, Outcome, Replayed

log_lines = structlog.get_logger("commands")

BATCH_MAX = 1_000
"""Commands in one batch: bounds the time a command waits for its batch-mates to be decided."""

BATCH_BYTES_MAX = 16 * 1024 * 1024
"""What one batch writes, but for its last command: what is too much for one message fails for everybody."""

STOP_SECONDS_MAX = 2.0
"""How long a stop waits for the batch in flight; whether that is written is then not known."""

BATCH_SIZE = Histogram(
    "daybook_batch_commands", "Commands per append call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1000)
)
COMMANDS = Counter("daybook_commands_total", "Commands by name and verdict", ["name", "verdict"])
APPEND_SECONDS = Histogram("daybook_append_seconds", "Duration of append calls")
CONFLICTS = Counter("daybook_conflicts_total", "Decisions taken again because another process wrote")

Handlers = dict[type, Handler]


class Handling:
    """Handles commands by `handlers` (one per command class) on a log.

    Use as an async context manager, or `start` and `stop` it. All calls from one event loop. Where the loop
    ends by itself, its callers get an error, and `failed` is called.
    """

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        handlers: Mapping[type, Handler],
        *,
        deadline_seconds: float = 5.0,
        streams_max: int = 100_000,
        failed: Ended = end_this_process,
    ) -> None:
        self._log = log
        self._deadline_seconds = deadline_seconds
        self._deciding = Deciding(log, codec, handlers, streams_max=streams_max)
        self._cache, self._entries = self._deciding.cache, self._deciding.entries
        self._queue: deque[Waiting] = deque()
        self._queued = asyncio.Event()
        self._keys: dict[bytes, asyncio.Future[Answer]] = {}
        self._step_ends = StepEnds(log, codec)
        self._loop_task: asyncio.Task[None] | None = None
        self._stopping = False
        self._failed = failed

    async def __aenter__(self) -> Handling:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Starts the loop."""
        self._loop_task = asyncio.create_task(self._run(), name="handling")
        self._loop_task.add_done_callback(self._ended)

    @property
    def lives(self) -> bool:
        """Whether commands are being handled."""
        return self._loop_task is not None and not self._loop_task.done() and not self._stopping

    async def stop(self) -> None:
        """Lets the batch in flight finish, then ends the loop; what still waits gets a BusyError.

        A batch that takes longer than STOP_SECONDS_MAX is not waited for.
        """
        self._stopping = True
        self._queued.set()
        try:
            if self._loop_task is not None:
                await asyncio.wait((self._loop_task,), timeout=STOP_SECONDS_MAX)
                self._loop_task.cancel()
                await asyncio.wait((self._loop_task,), timeout=STOP_SECONDS_MAX)
        finally:
            if self._loop_task is not None:
                self._loop_task.cancel()
            self._deciding.stop()
            self._refuse_queued(BusyError())

    async def handle(self, command: Any, context: Context) -> Answer:
        """Decides and appends; returns once the outcome is durable.

        Raises Rejected (a refusal), KeyReusedError, KeyBusyError, BusyError and the store's
        StoreUnavailable. A command whose key was accepted before is answered as then.
        """
        self._refuse_where_ended()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_seconds
        key = context.key
        while key is not None and (first := self._keys.get(key)) is not None:
            # One key at a time: a retry that races the first waits for what becomes of it.
            await asyncio.wait((first,), timeout=max(0.0, deadline - loop.time()))
            if not first.done():
                raise KeyBusyError
            self._refuse_where_ended()
        waiting = Waiting(command, context, loop.create_future(), deadline)
        if key is not None:
            self._keys[key] = waiting.future
            waiting.future.add_done_callback(lambda _: self._keys.pop(key, None))
        self._queue.append(waiting)
        self._queued.set()
        giving_up = loop.call_at(deadline, waiting.give_up)
        try:
            return await waiting.future
        finally:
            giving_up.cancel()

    async def prepare(self, streams: Iterable[str]) -> None:
        """Loads what commands are going to need soon; states that are in use stay in memory.

        Raises StoreUnavailable.
        """
        await self._deciding.prepare(streams)

    async def step_ended(
        self, step: AwaitedStep, *, timeout_seconds: float, look_first: bool = True
    ) -> int | None:
        """The last position of the command that ended a process's step; None when the time is over."""
        return await self._step_ends.wait(step, timeout_seconds=timeout_seconds, look_first=look_first)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """No command can be answered any more: waiting callers get an error now, and the process ends."""
        self._refuse_queued(StoreUnavailable("the handling loop has ended"))
        if has_failed(task, stopping=self._stopping):
            self._failed("the handling loop", error_of(task))
            log_lines.critical("handling_loop_failed", exc_info=error_of(task))

    def _refuse_queued(self, error: Exception) -> None:
        while self._queue:
            self._queue.popleft().refuse(error)

    def _refuse_where_ended(self) -> None:
        if self._stopping:
            raise BusyError
        if self._loop_task is not None and self._loop_task.done():
            raise StoreUnavailable("the handling loop has ended")

    async def _run(self) -> None:
        while True:
            await self._queued.wait()
            if self._stopping:
                return
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            if not self._queue:
                self._queued.clear()
            for one, outcome in await self._settle(batch):
                _report(one, outcome)

    async def _settle(self, batch: list[Waiting]) -> list[tuple[Decided, Appended]]:
        """Decides, appends and answers a batch; what moved goes back to the head of the queue.

        Gives what was written. A batch that is canceled under way may be written: nobody knows.
        """
        decided: list[tuple[Waiting, Decided]] = []
        try:
            session = await self._deciding.begin()
            size_bytes = 0
            for at, waiting in enumerate(batch):
                if size_bytes > BATCH_BYTES_MAX:
                    self._put_back(batch[at:])
                    del batch[at:]
                    break
                if waiting.future.done():  # the caller gave up
                    continue
                one = await self._deciding.decide(waiting, rest=batch[at + 1 :])
                if one is not None:
                    decided.append((waiting, one))
                    size_bytes += one.entry.size_bytes
            if not decided:
                return []
            BATCH_SIZE.observe(len(decided))
            with APPEND_SECONDS.time():
                outcomes = await self._log.append_async([one.entry for _, one in decided], session=session)
            return await self._answer(decided, outcomes)
        except EventStoreError as error:
            for _, one in decided:
                self._cache.drop(one.entry.reads)
                # Saved, perhaps, and destroyed by the time it would be brought again.
                self._deciding.subject_keys.forget(one.entry.new_subject_keys)
            _refuse(batch, error)
            if isinstance(error, AnotherLog):
                raise  # Its keys and hashes are others: only a process begun anew is of use to it.
        except Exception as error:  # our mistake: nothing in memory is to be trusted any more
            self._cache.clear()
            self._deciding.subject_keys.forget_all()
            _refuse(batch, error)
            log_lines.exception("batch_failed", commands=len(batch))
        except asyncio.CancelledError:
            _refuse(batch, StoreUnavailable("the handling loop was stopped"))
            raise
        return []

    async def _answer(
        self, decided: list[tuple[Waiting, Decided]], outcomes: list[Outcome]
    ) -> list[tuple[Decided, Appended]]:
        appended = {
            one.entry.command_id: outcome
            for (_, one), outcome in zip(decided, outcomes, strict=True)
            if isinstance(outcome, Appended)
        }
        moved: list[Waiting] = []
        written: list[tuple[Decided, Appended]] = []
        for (waiting, one), outcome in zip(decided, outcomes, strict=True):
            if isinstance(outcome, Appended):
                self._entries.settle(self._cache, one, appended)
                written.append((one, outcome))
                self._step_ends.wrote(one.events, outcome.last_position)
                if one.reason is not None:
                    waiting.refuse(Rejected(one.reason))
                else:
                    waiting.answer(one.answer(appended))
                continue
            self._cache.drop(one.entry.reads)
            match outcome:
                case Replayed(row=row):
                    await self._replay(waiting, row)
                case KeyReused():
                    waiting.refuse(KeyReusedError())
                case Moved(subjects=subjects):
                    CONFLICTS.inc()
                    self._deciding.subject_keys.doubt(subjects)
                    waiting.moved = True
                    moved.append(waiting)
        self._deciding.done(one for _, one in decided)
        now = asyncio.get_running_loop().time()
        for waiting in moved:
            if now >= waiting.deadline:
                waiting.refuse(BusyError())
        self._put_back([waiting for waiting in moved if now < waiting.deadline])
        return written

    def _put_back(self, batch: list[Waiting]) -> None:
        """At the head of the queue, in their order."""
        self._queue.extendleft(reversed(batch))
        if batch:
            self._queued.set()

    async def _replay(self, waiting: Waiting, row: Any) -> None:
        try:
            answer = await self._deciding.in_thread(answer_of_row, self._log, row)
        except EventStoreError as error:
            waiting.refuse(error)
        else:
            waiting.answer(answer)


def _report(one: Decided, outcome: Appended) -> None:
    """Counts and logs a command whose outcome is durable."""
    COMMANDS.labels(one.entry.name, one.entry.verdict).inc()
    log_lines.info(
        "command",
        command=one.entry.name,
        verdict=one.entry.verdict,
        reason=type(one.reason).__name__ if one.reason else None,
        position=outcome.last_position,
        trace_id=one.entry.correlation,
    )


def _refuse(batch: Iterable[Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.refuse(error)
