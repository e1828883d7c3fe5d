"""Following the log for one kind of process and doing what is due: the work of who holds the kind's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import structlog
from prometheus_client import Gauge

from commands.loop.decision import Actor, Answer, BusyError, Context
from commands.processes.kind import AT_ONCE, DoesTogether, Due, NotYet, Opened, ProcessKind
from commands.processes.open_work import Agenda
from event_store.codec import Codec
from event_store.errors import AnotherHistory, StoreUnavailable
from event_store.history import checkpoint_at, read_types_on
from event_store.progress import OpenWork, TriedWork
from event_store.records import START, EventLog, Exclusive, RecordedEvent
from event_store.retries import RetryPolicy

log_lines = structlog.get_logger("commands.processes")

CHANNEL = "process"

PAGE = 5_000
LOOKED_AT_MAX = 50_000
"""Positions that one reading may pass over, so that a rare event cannot outlast the statement's time."""
WAIT_SECONDS_MAX = 1.0
"""Bounds how late a lost lock is noticed."""
PART_SECONDS = 0.02
CHECKPOINT_SECONDS = 1.0
"""How often progress is saved; what is read again after a crash costs nothing but reading."""
HORIZON = timedelta(hours=1)
"""How far ahead work is held in memory."""
PREPARED_AHEAD = timedelta(minutes=2)
"""How long before work is due that is done together its streams are loaded: 100,000 of them take 20 s."""
PREPARED_AT_ONCE = 1_000

WORK_OPEN = Gauge("daybook_process_work_open", "Open work that is due within the hour", ["process"])


class Handles(Protocol):
    """What decides and appends commands: `commands.loop.handling.Handling`."""

    async def handle(self, command: Any, context: Context) -> Answer:
        """Returns once the outcome is durable."""

    async def prepare(self, streams: Iterable[str]) -> None:
        """Loads the streams that commands are going to need soon. Raises StoreUnavailable."""


class Following:
    """Keeps what is open of one kind, and a task for each piece of work under way.

    `thread` runs the log's blocking calls, one at a time.
    """

    def __init__(
        self,
        kind: ProcessKind,
        log: EventLog,
        codec: Codec,
        handling: Handles,
        *,
        clock: Callable[[], datetime],
        retry_policy: RetryPolicy,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._kind = kind
        self._log = log
        self._codec = codec
        self._handling = handling
        self._clock = clock
        self._retry_policy = retry_policy
        self._thread = thread
        self._actor = Actor("process", kind.name)
        self._checkpoint = checkpoint_of(kind)
        self._saved: int | None = None
        self._place = START  # how far the log is read: the agenda's position, and what stands there
        self._saved_at = 0.0
        self._together = kind if isinstance(kind, DoesTogether) else None
        self._agenda = Agenda(0)
        self._fresh: dict[int, RecordedEvent] = {}  # what opened work in this round, by position
        self._running: dict[OpenWork, asyncio.Task[None]] = {}
        self._tried: dict[OpenWork, TriedWork] = {}  # since it was last noted
        self._pauses: dict[OpenWork, asyncio.Event] = {}  # of what is tried again later; set: now
        self._free = asyncio.Semaphore(kind.at_once_max)
        self._read_on = asyncio.Event()  # set, and replaced, once more of the log is read
        self._failure: BaseException | None = None
        self._stopped = False

    async def follow(self, lock: Exclusive) -> None:
        """Reads to the head, does what is due, waits for more.

        Returns once the lock is lost, another follows, or the log has another history than was read. Raises
        what a piece of work failed with by a mistake in this file.
        """
        self._saved = await self._in_thread(self._log.resumed, self._checkpoint)
        begins = self._saved
        if begins is None:
            begins = await self._in_thread(self._kind.starts_at, self._log)
        # A log that does not reach so far is another one than was read: from its start, then.
        self._place = await self._in_thread(checkpoint_at, self._log, begins) or START
        self._agenda = Agenda(self._place.position, is_prepared_for=self._together is not None)
        await self._look_ahead(self._clock())
        head = await self._in_thread(self._log.head)
        while await self._read_to(head):
            now = self._clock()
            self._start(self._agenda.take_due(now), now)
            self._fresh.clear()
            await self._prepare(now)
            WORK_OPEN.labels(self._kind.name).set(self._agenda.open_soon)
            if self._failure is not None:
                raise self._failure
            if self._is_time_to_save() and not (
                await self._in_thread(lock.still_held) and await self._save(now)
            ):
                return
            await asyncio.sleep(self._pause_seconds())
            wait = partial(self._log.wait, timeout_seconds=self._waiting_seconds())
            head = await self._in_thread(partial(wait, after=self._agenda.position))

    def stop(self) -> Iterable[asyncio.Task[None]]:
        """Ends what is under way, which is found in the log again; gives what has yet to notice."""
        self._stopped = True
        for task in self._running.values():
            task.cancel()
        return list(self._running.values())

    def _pause_seconds(self) -> float:
        """From this round to the next. Work in parts, one at a time, waits for the end of the last part."""
        in_parts = self._kind.at_once_max == 1 and self._running
        return min(self._kind.round_seconds, PART_SECONDS) if in_parts else self._kind.round_seconds

    async def _read_to(self, head: int) -> bool:
        """False where another follows meanwhile, or the log has another history."""
        agenda, names = self._agenda, self._kind.event_names
        while agenda.position < head:
            up_to = min(head, agenda.position + LOOKED_AT_MAX)
            read = partial(read_types_on, self._log, self._place, types=names, limit=PAGE, up_to=up_to)
            try:
                page, self._place = await self._in_thread(read)
            except AnotherHistory as error:
                log_lines.warning("another_history", process=self._kind.name, reason=str(error))
                return False
            for recorded in page:
                for change in self._kind.changes(recorded, self._codec.decode(recorded)):
                    agenda.note(change, recorded.position)
                    if isinstance(change, Opened):
                        self._fresh[recorded.position] = recorded
            agenda.position = self._place.position
            if agenda.position < head:  # far behind: what is read is not read again
                self._fresh.clear()
                if self._is_time_to_save() and not await self._save(self._clock()):
                    return False
        read_on, self._read_on = self._read_on, asyncio.Event()
        read_on.set()
        return True

    def _is_time_to_save(self) -> bool:
        return asyncio.get_running_loop().time() - self._saved_at >= CHECKPOINT_SECONDS

    async def _save(self, now: datetime) -> bool:
        """Saves progress and what was tried; ends pauses where an operator wants that; looks further ahead.

        False where another follows.
        """
        self._saved_at = asyncio.get_running_loop().time()
        position = self._agenda.position
        if position != self._saved:
            opened, closed = self._agenda.take_changes()
            save = partial(
                self._log.save_progress,
                after=self._saved,
                position=position,
                event=self._place.event or None,
            )
            if not await self._in_thread(partial(save, self._checkpoint, opened=opened, closed=closed)):
                log_lines.warning("another_follows", process=self._kind.name)
                return False
            self._saved = position
        if self._agenda.horizon - now < HORIZON / 2:
            await self._look_ahead(now)
        tried, self._tried = self._tried, {}
        if tried:
            await self._in_thread(self._log.work_tried, self._checkpoint, list(tried.values()))
        retries = set(await self._in_thread(self._log.take_retries, self._checkpoint))
        for work, ended in self._pauses.items():
            if (work.queue, work.number) in retries:
                ended.set()
        return True

    async def _look_ahead(self, now: datetime) -> None:
        horizon = max(now + HORIZON, self._agenda.horizon)
        look = partial(self._log.open_work, due_from=self._agenda.horizon, due_before=horizon)
        self._agenda.load(await self._in_thread(look, self._checkpoint), horizon)

    def _start(self, due: list[OpenWork], now: datetime) -> None:
        new = [work for work in due if work not in self._running]
        together = self._together if len(new) > 1 else None
        size = together.together_max if together else 1
        for n in range(0, len(new), size):
            works = new[n : n + size]
            if together:
                doing = self._do_together(together, works, now)
            else:
                doing = self._until_closed(works[0], self._fresh.get(works[0].position), now)
            name = f"{self._kind.name} {works[0].queue}/{works[0].number}"
            task = asyncio.create_task(doing, name=name)
            self._running.update(dict.fromkeys(works, task))
            task.add_done_callback(partial(self._ended, works))

    def _ended(self, works: list[OpenWork], task: asyncio.Task[None]) -> None:
        for work in works:
            del self._running[work]
        error = None if task.cancelled() else task.exception()
        if not self._stopped and (error is not None or any(map(self._agenda.is_open, works))):
            self._failure = error or RuntimeError(f"{task.get_name()} was dropped while it was open")

    async def _until_closed(self, work: OpenWork, recorded: RecordedEvent | None, now: datetime) -> None:
        """Tries again with growing pauses, whatever went wrong, until an event closes the work.

        It stays open, in the log and in the metrics, until it is done; one order that fails by our mistake
        must not keep every other order's money waiting.
        """
        tries, pauses = 0, self._retry_policy.pauses()
        while self._agenda.is_open(work):
            tries += 1
            async with self._free:
                if recorded is None:
                    recorded = await self._opening(work)
                done_at, failure = await self._try(work, recorded, now, tries)
            while done_at is not None and self._agenda.position < done_at:
                await self._read_on.wait()
            if self._agenda.is_open(work):
                self._tried[work] = TriedWork(
                    work.queue, work.number, work.due_at, work.position, tries, failure
                )
                await self._pause(work, next(pauses))

    async def _prepare(self, now: datetime) -> None:
        """Loads what some of the work that is due soon is going to need."""
        works = self._agenda.take_ahead(now + PREPARED_AHEAD, PREPARED_AT_ONCE)
        if works and self._together is not None:
            await self._handling.prepare(self._together.streams(works))

    async def _do_together(self, kind: DoesTogether, works: list[OpenWork], now: datetime) -> None:
        """All by one command; what that leaves open, one by one."""
        async with self._free:
            context = Context(
                actor=self._actor, channel=CHANNEL, causation=f"event:{max(work.position for work in works)}"
            )
            about = {"process": self._kind.name, "works": len(works)}
            done_at = 0
            try:
                done_at = (await self._handling.handle(kind.do_together(works, now), context)).position
            except (StoreUnavailable, BusyError) as error:
                log_lines.warning("works_not_yet", reason=repr(error), **about)
            except Exception:
                log_lines.exception("works_not_done", **about)
        while self._agenda.position < done_at:
            await self._read_on.wait()
        left = [self._until_closed(work, None, now) for work in works if self._agenda.is_open(work)]
        await asyncio.gather(*left)

    async def _pause(self, work: OpenWork, seconds: float) -> None:
        """Until the time is over, or an operator wants no more of it."""
        ended = self._pauses[work] = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            pass
        finally:
            del self._pauses[work]

    async def _opening(self, work: OpenWork) -> RecordedEvent:
        """The event that opened it, from a log that may be away."""
        read = partial(self._log.read_all, after=work.position - 1, limit=1, up_to=work.position)
        pauses = self._retry_policy.pauses()
        while True:
            try:
                page: list[RecordedEvent] = await self._in_thread(read)
            except StoreUnavailable:
                await asyncio.sleep(next(pauses))
            else:
                return page[0]

    async def _try(
        self, work: OpenWork, recorded: RecordedEvent, now: datetime, tries: int
    ) -> tuple[int | None, str]:
        """The position at which it is done, or None, and why it is not."""
        about = {"process": self._kind.name, "work": f"{work.queue}/{work.number}", "tries": tries}
        context = Context(
            actor=self._actor,
            channel=CHANNEL,
            correlation=recorded.correlation,
            causation=f"event:{recorded.position}",
        )
        try:
            command = await self._kind.do(Due(work, recorded, self._codec.decode(recorded), now))
            return (await self._handling.handle(command, context)).position, "it is not to be done yet"
        except (NotYet, StoreUnavailable, BusyError) as error:
            log_lines.warning("work_not_yet", reason=repr(error), trace_id=recorded.correlation, **about)
            return None, str(error) or type(error).__name__
        except Exception as error:
            log_lines.exception("work_not_done", trace_id=recorded.correlation, **about)
            return None, type(error).__name__  # Its text may have anything in it.

    def _waiting_seconds(self) -> float:
        if self._agenda.is_ahead(self._clock() + PREPARED_AHEAD):
            return 0.0
        due = self._agenda.next_due()
        if due is None or due == AT_ONCE:
            return WAIT_SECONDS_MAX
        return min(WAIT_SECONDS_MAX, max(0.0, (due - self._clock()).total_seconds()))

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def checkpoint_of(kind: ProcessKind) -> str:
    """The name under which the log keeps how far the kind got."""
    return checkpoint_named(kind.name)


def checkpoint_named(kind: str) -> str:
    """The same, by the kind's name."""
    return f"process {kind}"
