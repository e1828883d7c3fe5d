"""The log told to many who listen: one reader per process, however many they are (decision 0012).

    with broadcast.admitted():                                  # TooManyListeners
        while not broadcast.tells_from(position):
            ...                                                 # who is behind reads for itself
        with broadcast.listen({"order-17"}, after=position) as listener:
            async for told in listener: ...

A topic is a stream's name or an event type's. Each event of its topics above `after` comes to a listener once
and in order, until it falls behind: then its iteration ends, and it reads for itself from where it was.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import structlog

from event_store.errors import AnotherHistory, StoreUnavailable
from event_store.records import Checkpoint, EventReader, RecordedEvent
from replays.feed.feed import WAIT_SECONDS, BeyondHead, FeedPage, read_page

EVERYTHING = "*"
"""The topic of those who listen to all events."""

QUEUED_MAX = 5_000
"""Events that one listener may be behind. They are kept once, however many wait for them."""

PAGE = 1_000
"""Events read at a time; well below what may queue, so that a wave of them leaves nobody behind."""

WOKEN_AT_ONCE = 20
"""Listeners that are woken before everything else in the process has its turn."""

PAUSE_SECONDS_PER_LISTENER = 0.000_5
"""The more listen, the more events are told at a time: telling costs by listener, hardly by event."""

PAUSE_SHARE = 2
"""After each wave, so many times what it took belongs to others."""

log_lines = structlog.get_logger("replays")


class TooManyListeners(Exception):  # noqa: N818
    """As many listen as may."""


class Told:
    """An event that many hear. What one of them made of it serves all."""

    __slots__ = ("_made", "event")

    def __init__(self, event: RecordedEvent) -> None:
        self.event = event
        self._made: bytes | None = None

    def made(self, make: Callable[[RecordedEvent], bytes]) -> bytes:
        """What the first caller's `make` made of it."""
        if self._made is None:
            self._made = make(self.event)
        return self._made


class Listener:
    """Iterating gives what was told, as much at a time as came; nothing where none came for a while."""

    def __init__(
        self, broadcast: Broadcast, after: int, seen: Checkpoint | None, quiet_seconds: float
    ) -> None:
        self.position = after
        """Whatever lies at or below it was given, or is of no topic of this listener's."""
        self.seen = seen
        """What stands at `position`, where that is known."""
        self._broadcast = broadcast
        self._quiet_seconds = quiet_seconds
        self._queued: list[Told] = []
        self._is_over = False
        self._something = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Sequence[Told]]:
        while not self._is_over:
            try:
                async with asyncio.timeout(self._quiet_seconds):
                    await self._something.wait()
            except TimeoutError:
                pass  # Something may have come at the same moment.
            self._something.clear()
            if self._is_over:
                return
            heard, self._queued = self._queued, []
            self.position = (
                heard[-1].event.position if heard else max(self.position, self._broadcast.position)
            )
            yield heard

    def hear(self, told: Sequence[Told]) -> None:
        """The broadcast's: queues what lies above all that was heard."""
        if self._is_over:
            return
        last = self._queued[-1].event.position if self._queued else self.position
        if told[0].event.position <= last:  # It was ahead of the broadcast.
            told = [one for one in told if one.event.position > last]
        self._queued += told
        if len(self._queued) > QUEUED_MAX:
            self.end()

    def wake(self) -> None:
        """The broadcast's."""
        self._something.set()

    def end(self) -> None:
        """The broadcast's: what is queued is dropped; it lies above `position`."""
        self._is_over = True
        self._queued = []
        self._something.set()


class Broadcast:
    """Reads the log while anybody listens. All calls from one event loop."""

    def __init__(
        self, log: EventReader, *, listeners_max: int = 1_000, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """`stopping` is asked every second: where it says True, whoever listens is let go."""
        self.position = 0
        """Where there is a reader: told up to here."""
        self.seen: Checkpoint | None = None
        """What stood there."""
        self._log = log
        self._listeners_max = listeners_max
        self.stopping = stopping
        self._admitted = 0
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        self._thread = ThreadPoolExecutor(1, "broadcast")
        self._reader: asyncio.Task[None] | None = None

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among those who listen. Raises TooManyListeners."""
        if self._admitted >= self._listeners_max:
            raise TooManyListeners
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1
            if self._admitted == 0 and self._reader is not None:
                self._reader.cancel()

    def tells_from(self, position: int) -> bool:
        """Whether who has seen everything up to `position` may listen from there."""
        return self._reader is None or position >= self.position

    @contextmanager
    def listen(
        self,
        topics: Collection[str],
        *,
        after: int,
        seen: Checkpoint | None = None,
        quiet_seconds: float = 15.0,
    ) -> Iterator[Listener]:
        """Listens to what comes above `after`, where `seen` stood.

        ValueError where the reader is beyond: see `tells_from`.
        """
        if not self.tells_from(after):
            raise ValueError(f"already at {self.position}, not at {after}")
        listener = Listener(self, after, seen, quiet_seconds)
        for topic in topics:
            self._listeners[topic].add(listener)
        if self._reader is None:
            self.position, self.seen = after, seen
            self._reader = asyncio.create_task(self._read(), name="broadcast")
        try:
            yield listener
        finally:
            for topic in topics:
                self._listeners[topic].discard(listener)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self.stopping():
                try:
                    page = await loop.run_in_executor(
                        self._thread, _read_on, self._log, self.position, self.seen
                    )
                except StoreUnavailable:
                    await asyncio.sleep(WAIT_SECONDS)
                    continue
                begun = loop.time()
                woken = self._tell([Told(event) for event in page.events])
                # Together with the telling: who joins now hears what comes next.
                self.position, self.seen = page.next, page.seen
                for at in range(0, len(woken), WOKEN_AT_ONCE):
                    for listener in woken[at : at + WOKEN_AT_ONCE]:
                        listener.wake()
                    await asyncio.sleep(0)
                if woken:
                    took = loop.time() - begun
                    await asyncio.sleep(max(PAUSE_SHARE * took, PAUSE_SECONDS_PER_LISTENER * len(woken)))
        except (AnotherHistory, BeyondHead) as error:
            log_lines.warning("broadcast_of_another_history", reason=str(error))
        except Exception:  # Whoever listens reads for itself, and finds the same.
            log_lines.exception("broadcast_failed")
            await asyncio.sleep(WAIT_SECONDS)
        finally:
            self._reader = None
            for listener in {one for of_topic in self._listeners.values() for one in of_topic}:
                listener.end()

    def _tell(self, told: list[Told]) -> list[Listener]:
        """Queues it for everyone whom it concerns, and gives them."""
        concerned: defaultdict[Listener, list[Told]] = defaultdict(list)
        for one in told:
            for listener in self._listening(one.event.stream) | self._listening(one.event.type):
                concerned[listener].append(one)
        if told:
            concerned.update(dict.fromkeys(self._listening(EVERYTHING), told))
        for listener, heard in concerned.items():
            listener.hear(heard)
        return list(concerned)

    def _listening(self, topic: str) -> set[Listener]:
        return self._listeners.get(topic, set())


def _read_on(log: EventReader, after: int, seen: Checkpoint | None) -> FeedPage:
    """What came since, or nothing within a second. Raises as `read_page` does."""
    log.wait(after=after, timeout_seconds=WAIT_SECONDS)
    return read_page(log, after=after, limit=PAGE, seen=seen)
