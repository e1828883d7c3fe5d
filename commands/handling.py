"""The handling loop: one per process, deciding at the head of the queue.

Commands are decided one after another, each on the states its forerunners in the batch left, and the whole
batch is appended in one call; what queued while that call was in flight forms the next batch. So buyers of
one SKU, or edits of one cart, never conflict within a process. What another process moved meanwhile is read
anew and decided again, until the command's deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter, Histogram

from aggregates.kernel import Rejected
from commands.books import Books, Missing
from commands.decision import Answer, AwaitedStep, BusyError, Context, Decision, KeyBusyError, KeyReusedError
from commands.entries import Decided, EntryWriter, answer_of_row, step_end
from commands.reporting import report
from commands.snapshots import SnapshotDrawing, Snapshots
from commands.waiting import Waiting
from event_store.codec import Codec
from event_store.errors import EventStoreError
from event_store.records import Appended, EventLog, KeyReused, Moved, Outcome, Replayed

log_lines = structlog.get_logger("commands")

BATCH_MAX = 1_000
"""Commands in one batch: bounds the time a command waits for its batch-mates to be decided."""

WATCH_SECONDS = 0.1

BATCH_SIZE = Histogram(
    "daybook_batch_commands", "Commands per append call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1000)
)
APPEND_SECONDS = Histogram("daybook_append_seconds", "Duration of append calls")
CONFLICTS = Counter("daybook_conflicts_total", "Decisions taken again because another process wrote")

T = TypeVar("T")
Handler = Callable[[Books, Any], Decision]
Handlers = dict[type, Handler]


class Handling:
    """Handles commands by `handlers` (one per command class) on a log.

    Use as an async context manager, or `start` and `stop` it. All calls from one event loop.
    """

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        handlers: Mapping[type, Handler],
        *,
        deadline_seconds: float = 5.0,
        streams_max: int = 100_000,
    ) -> None:
        self._log = log
        self._codec = codec
        self._handlers = handlers
        self._deadline_seconds = deadline_seconds
        self._books = Books(codec, streams_max)
        self._entries = EntryWriter(codec)
        self._snapshots = Snapshots(log, codec)
        self._drawing = SnapshotDrawing(self._snapshots)
        self._queue: deque[Waiting] = deque()
        self._queued = asyncio.Event()
        self._keys: dict[bytes, asyncio.Future[Answer]] = {}
        self._watchers: dict[str, asyncio.Event] = {}
        self._thread = ThreadPoolExecutor(1, "reading")
        self._session = 0  # of the log, in which everything in memory was read
        self._loop_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Handling:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Starts the loop."""
        self._loop_task = asyncio.create_task(self._run(), name="handling")

    async def stop(self) -> None:
        """Lets the batch in flight finish, then ends the loop; what still waits gets a BusyError."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        await self._drawing.stop()
        while self._queue:
            self._queue.popleft().refuse(BusyError())
        self._thread.shutdown()

    async def handle(self, command: Any, context: Context) -> Answer:
        """Decides and appends; returns once the outcome is durable.

        Raises Rejected (the shop says no), KeyReusedError, KeyBusyError, BusyError and the store's
        StoreUnavailable. A command whose key was accepted before is answered as then.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_seconds
        key = context.key
        while key is not None and (first := self._keys.get(key)) is not None:
            # One key at a time: a retry that races the first waits for what becomes of it.
            await asyncio.wait((first,), timeout=max(0.0, deadline - loop.time()))
            if not first.done():
                raise KeyBusyError
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

    async def step_ended(self, step: AwaitedStep, *, timeout_seconds: float) -> int | None:
        """The last position of the command that ended a process's step; None when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            written = self._watchers.setdefault(step.stream, asyncio.Event())
            looking = asyncio.to_thread(step_end, self._log, self._codec, step)
            try:
                position = await asyncio.wait_for(looking, max(deadline - loop.time(), WATCH_SECONDS))
            except TimeoutError:
                return None
            left = deadline - loop.time()
            if position is not None or left <= 0:
                return position
            # Another process may be the one that ends it: look again now and then.
            with suppress(TimeoutError):
                await asyncio.wait_for(written.wait(), min(left, WATCH_SECONDS))
            if not written.is_set():
                self._watchers.pop(step.stream, None)

    async def _run(self) -> None:
        while True:
            await self._queued.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            if not self._queue:
                self._queued.clear()
            settling = asyncio.create_task(self._settle(batch))
            try:
                await asyncio.shield(settling)
            except asyncio.CancelledError:
                await asyncio.gather(settling, return_exceptions=True)
                raise

    async def _settle(self, batch: list[Waiting]) -> None:
        """Decides, appends and answers a batch; what moved goes back to the head of the queue."""
        decided: list[tuple[Waiting, Decided]] = []
        try:
            await self._begin()
            for at, waiting in enumerate(batch):
                if waiting.future.done():  # the caller gave up
                    continue
                one = await self._decide(waiting, rest=batch[at + 1 :])
                if one is not None:
                    decided.append((waiting, one))
            if not decided:
                return
            BATCH_SIZE.observe(len(decided))
            with APPEND_SECONDS.time():
                outcomes = await self._log.append_async(
                    [one.entry for _, one in decided], session=self._session
                )
            await self._answer(decided, outcomes)
        except EventStoreError as error:
            for _, one in decided:
                self._books.drop(one.entry.reads)
            for waiting in batch:
                waiting.refuse(error)
        except Exception as error:  # our mistake: nothing in memory is to be trusted any more
            log_lines.exception("batch_failed", commands=len(batch))
            self._books.clear()
            for waiting in batch:
                waiting.refuse(error)

    async def _begin(self) -> None:
        """Where the log was lost meanwhile, forgets what was read: another history may go on at its place."""
        session = await self._log.session_async()
        if session != self._session:
            self._books.clear()
            self._entries.forget_all_keys()
            self._session = session

    async def _decide(self, waiting: Waiting, rest: list[Waiting]) -> Decided | None:
        """Decides one command, loading what it misses; None where its handler failed by our fault."""
        while True:
            try:
                decided = self._decide_on_loaded(waiting)
            except Missing as missing:
                await self._load(missing, rest)
            except Exception as error:  # the caller gets our mistake; its batch-mates go on
                log_lines.exception("command_failed", command=type(waiting.command).__name__)
                waiting.refuse(error)
                return None
            else:
                for index, (stream, event) in enumerate(decided.events):
                    self._books.evolve(stream, event, writer=waiting.context.command_id, index=index)
                return decided

    def _decide_on_loaded(self, waiting: Waiting) -> Decided:
        command, context = waiting.command, waiting.context
        self._books.begin(context.actor)
        try:
            decision = self._handlers[type(command)](self._books, command)
        except Rejected as rejected:
            return self._entries.refused(self._books, command, context, rejected)
        return self._entries.decided(self._books, command, context, decision)

    async def _load(self, missing: Missing, rest: list[Waiting]) -> None:
        """Loads what a decision misses, and with it what the rest of the batch is going to miss."""
        streams, subjects = dict.fromkeys(missing.streams), dict.fromkeys(missing.subjects)
        for waiting in rest:
            try:
                self._decide_on_loaded(waiting)
            except Missing as further:
                streams.update(dict.fromkeys(further.streams))
                subjects.update(dict.fromkeys(further.subjects))
            except Exception:  # its own turn to be decided, and to fail, comes
                continue
        if streams:
            self._books.put(await self._in_thread(self._snapshots.load, list(streams)))
        if subjects:
            self._entries.learn_keys(subjects, await self._in_thread(self._log.subject_keys, list(subjects)))

    async def _answer(self, decided: list[tuple[Waiting, Decided]], outcomes: list[Outcome]) -> None:
        appended = {
            one.entry.command_id: outcome
            for (_, one), outcome in zip(decided, outcomes, strict=True)
            if isinstance(outcome, Appended)
        }
        moved: list[Waiting] = []
        for (waiting, one), outcome in zip(decided, outcomes, strict=True):
            if isinstance(outcome, Appended):
                self._entries.settle(self._books, one, appended)
                report(one, outcome)
                self._wake(stream for stream, _ in one.events)
                if one.reason is not None:
                    waiting.refuse(Rejected(one.reason))
                else:
                    waiting.answer(one.answer(appended))
                continue
            self._books.drop(one.entry.reads)
            match outcome:
                case Replayed(row=row):
                    await self._replay(waiting, row)
                case KeyReused():
                    waiting.refuse(KeyReusedError())
                case Moved(subjects=subjects):
                    CONFLICTS.inc()
                    self._entries.forget_keys(one.entry.new_subject_keys)
                    self._entries.forget_keys(dict.fromkeys(subjects))
                    waiting.moved = True
                    moved.append(waiting)
        for _, one in decided:
            self._books.touch(one.entry.reads)
        self._drawing.consider(self._books, {s for _, one in decided for s, _event in one.events})
        now = asyncio.get_running_loop().time()
        for waiting in reversed(moved):
            if now >= waiting.deadline:
                waiting.refuse(BusyError())
            else:
                self._queue.appendleft(waiting)
                self._queued.set()

    def _wake(self, streams: Iterable[str]) -> None:
        for stream in streams:
            if written := self._watchers.pop(stream, None):
                written.set()

    async def _replay(self, waiting: Waiting, row: Any) -> None:
        try:
            answer = await self._in_thread(answer_of_row, self._log, row)
        except EventStoreError as error:
            waiting.refuse(error)
        else:
            waiting.answer(answer)

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
