"""The log for many subscribers at once: one reader per process, however many they are (decision 0012).

    with broadcast.admitted():                                  # TooManySubscribers
        while not broadcast.can_subscribe(after=position):
            ...                                                 # behind it, the caller reads the log itself
        with broadcast.subscribe({"order-17"}, after=position) as subscriber:
            async for events in subscriber: ...

A topic is a stream's name or an event type's. A subscriber receives each event of its topics above
`after` once and in order, until it falls behind: then its iteration ends, and the caller reads the log itself
from there on.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import structlog

from event_store.errors import AnotherHistory, StoreUnavailable
from event_store.records import Checkpoint, RecordedEvent
from event_store.selection import SelectiveReader
from replays.feed.feed import WAIT_SECONDS, BeyondHead, FeedPage, read_page

EVERYTHING = "*"
"""The topic of all events."""

QUEUED_MAX = 5_000
"""Events that one subscriber may be behind. They are held once, however many wait for them."""

PAGE = 1_000
"""Events read at a time; well below what may queue, so that a wave of them leaves no subscriber behind."""

WOKEN_AT_ONCE = 20
"""Subscribers that are woken before everything else in the process has its turn."""

PAUSE_SECONDS_PER_SUBSCRIBER = 0.000_5
"""The more subscribers, the more events at a time: a delivery costs by subscriber, hardly by event."""

PAUSE_SHARE = 2
"""After each wave, so many times what it took belongs to the rest of the process."""

log_lines = structlog.get_logger("replays")


class TooManySubscribers(Exception):  # noqa: N818
    """There are as many as may be."""


class SharedEvent:
    """An event for many subscribers, rendered once for all of them."""

    __slots__ = ("_rendered", "event")

    def __init__(self, event: RecordedEvent) -> None:
        self.event = event
        self._rendered: bytes | None = None

    def rendered(self, render: Callable[[RecordedEvent], bytes]) -> bytes:
        """What the first caller's `render` made of it."""
        if self._rendered is None:
            self._rendered = render(self.event)
        return self._rendered


class Subscriber:
    """Iterating gives the events that came, as many at a time; none where none came for a while."""

    def __init__(
        self, broadcast: Broadcast, after: int, seen: Checkpoint | None, quiet_seconds: float
    ) -> None:
        self.position = after
        """Whatever lies at or below it was given, or is of no topic of this subscriber's."""
        self.seen = seen
        """What stands at `position`, where that is known."""
        self._broadcast = broadcast
        self._quiet_seconds = quiet_seconds
        self._queued: list[SharedEvent] = []
        self._is_over = False
        self._woken = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Sequence[SharedEvent]]:
        while not self._is_over:
            try:
                async with asyncio.timeout(self._quiet_seconds):
                    await self._woken.wait()
            except TimeoutError:
                pass  # Something may have come at the same moment.
            self._woken.clear()
            if self._is_over:
                return
            events, self._queued = self._queued, []
            self.position = (
                events[-1].event.position if events else max(self.position, self._broadcast.position)
            )
            yield events

    def receive(self, events: Sequence[SharedEvent]) -> None:
        """For the broadcast: queues what lies above all that was received."""
        if self._is_over:
            return
        last = self._queued[-1].event.position if self._queued else self.position
        if events[0].event.position <= last:  # It was ahead of the broadcast.
            events = [one for one in events if one.event.position > last]
        self._queued += events
        if len(self._queued) > QUEUED_MAX:
            self.end()

    def wake(self) -> None:
        """For the broadcast."""
        self._woken.set()

    def end(self) -> None:
        """For the broadcast: what is queued is dropped; it lies above `position`."""
        self._is_over = True
        self._queued = []
        self._woken.set()


class Broadcast:
    """Reads the log while there are subscribers. All calls from one event loop."""

    def __init__(
        self,
        log: SelectiveReader,
        *,
        listeners_max: int = 1_000,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`stopping` is called every second: once it is True, every subscription ends."""
        self.position = 0
        """Where there is a reader: delivered up to here."""
        self.seen: Checkpoint | None = None
        """What stood there."""
        self._log = log
        self._listeners_max = listeners_max
        self.stopping = stopping
        self._admitted = 0
        self._subscribers: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._thread = ThreadPoolExecutor(1, "broadcast")
        self._reader: asyncio.Task[None] | None = None

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among the subscribers. Raises TooManySubscribers."""
        if self._admitted >= self._listeners_max:
            raise TooManySubscribers
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1
            if self._admitted == 0 and self._reader is not None:
                self._reader.cancel()

    def can_subscribe(self, *, after: int) -> bool:
        """Whether the broadcast has not passed `after` yet."""
        return self._reader is None or after >= self.position

    @contextmanager
    def subscribe(
        self,
        topics: Collection[str],
        *,
        after: int,
        seen: Checkpoint | None = None,
        quiet_seconds: float = 15.0,
    ) -> Iterator[Subscriber]:
        """Receives what comes above `after`, where `seen` stood.

        ValueError where the broadcast has passed it: see `can_subscribe`.
        """
        if not self.can_subscribe(after=after):
            raise ValueError(f"already at {self.position}, not at {after}")
        subscriber = Subscriber(self, after, seen, quiet_seconds)
        for topic in topics:
            self._subscribers[topic].add(subscriber)
        if self._reader is None:
            self.position, self.seen = after, seen
            self._reader = asyncio.create_task(self._read(), name="broadcast")
        try:
            yield subscriber
        finally:
            for topic in topics:
                self._subscribers[topic].discard(subscriber)
                if not self._subscribers[topic]:
                    del self._subscribers[topic]

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
                woken = self._deliver([SharedEvent(event) for event in page.events])
                # Together with the delivery: who joins now receives what comes next.
                self.position, self.seen = page.next, page.seen
                for at in range(0, len(woken), WOKEN_AT_ONCE):
                    for subscriber in woken[at : at + WOKEN_AT_ONCE]:
                        subscriber.wake()
                    await asyncio.sleep(0)
                if woken:
                    took = loop.time() - begun
                    await asyncio.sleep(max(PAUSE_SHARE * took, PAUSE_SECONDS_PER_SUBSCRIBER * len(woken)))
        except (AnotherHistory, BeyondHead) as error:
            log_lines.warning("broadcast_of_another_history", reason=str(error))
        except Exception:  # Each subscriber's own reading will find the same.
            log_lines.exception("broadcast_failed")
            await asyncio.sleep(WAIT_SECONDS)
        finally:
            self._reader = None
            for subscriber in {one for of_topic in self._subscribers.values() for one in of_topic}:
                subscriber.end()

    def _deliver(self, events: list[SharedEvent]) -> list[Subscriber]:
        """Queues the events for the subscribers of their topics, and gives those."""
        concerned: defaultdict[Subscriber, list[SharedEvent]] = defaultdict(list)
        for one in events:
            for subscriber in self._subscribed_to(one.event.stream) | self._subscribed_to(one.event.type):
                concerned[subscriber].append(one)
        if events:
            concerned.update(dict.fromkeys(self._subscribed_to(EVERYTHING), events))
        for subscriber, of_its_topics in concerned.items():
            subscriber.receive(of_its_topics)
        return list(concerned)

    def _subscribed_to(self, topic: str) -> set[Subscriber]:
        return self._subscribers.get(topic, set())


def _read_on(log: SelectiveReader, after: int, seen: Checkpoint | None) -> FeedPage:
    """What came since, or nothing within a second. Raises as `read_page` does."""
    log.wait(after=after, timeout_seconds=WAIT_SECONDS)
    return read_page(log, after=after, limit=PAGE, seen=seen)
