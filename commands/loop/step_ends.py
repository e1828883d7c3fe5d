"""Waiting for the end of a process's step, which a batch of this process or of another may write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from aggregates.payments.events import StepEnded
from commands.loop.decision import AwaitedStep
from event_store.codec import Codec
from event_store.records import EventLog, EventReader

WATCH_SECONDS = 0.1


class StepEnds:
    """Knows who waits for which stream, and nothing of those who wait no more."""

    def __init__(self, log: EventLog, codec: Codec) -> None:
        self._log = log
        self._codec = codec
        self._watchers: dict[str, set[asyncio.Event]] = {}

    async def wait(self, step: AwaitedStep, *, timeout_seconds: float) -> int | None:
        """The last position of the command that ended the step; None when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        with self._watched(step.stream) as written:
            while True:
                written.clear()
                try:
                    async with asyncio.timeout(max(deadline - loop.time(), WATCH_SECONDS)):
                        position = await asyncio.to_thread(_step_end, self._log, self._codec, step)
                except TimeoutError:
                    return None
                left = deadline - loop.time()
                if position is not None or left <= 0:
                    return position
                # Another process may be the one that ends it: look again now and then.
                try:
                    async with asyncio.timeout(min(left, WATCH_SECONDS)):
                        await written.wait()
                except TimeoutError:
                    continue

    def wrote(self, streams: Iterable[str]) -> None:
        """A batch of this process has written to these."""
        for stream in streams:
            for written in self._watchers.get(stream, ()):
                written.set()

    @property
    def watched(self) -> int:
        """How many streams somebody waits for."""
        return len(self._watchers)

    @contextmanager
    def _watched(self, stream: str) -> Iterator[asyncio.Event]:
        written = asyncio.Event()
        watching = self._watchers.setdefault(stream, set())
        watching.add(written)
        try:
            yield written
        finally:
            watching.discard(written)
            if not watching:
                del self._watchers[stream]


def _step_end(log: EventReader, codec: Codec, step: AwaitedStep) -> int | None:
    """The last position of the command that ended the step; None while it is open."""
    for recorded in log.read_stream(step.stream):
        event = codec.decode(recorded)
        if isinstance(event, StepEnded) and event.step == step.step:
            row = log.journal_row(recorded.command_id)
            return row.last_position if row else recorded.position
    return None
