"""Waiting for the end of a process's step, which a batch of this process or of another may write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from aggregates.payments.events import StepEnded
from commands.loop.decision import AwaitedStep
from event_store.codec import Codec
from event_store.records import EventLog, EventReader

WATCH_SECONDS = 0.1
"""How often the log is asked: another process may be the one that ends the step."""


class StepEnds:
    """Knows who waits for which step, and nothing of those who wait no more."""

    def __init__(self, log: EventLog, codec: Codec) -> None:
        self._log = log
        self._codec = codec
        self._waiting: dict[AwaitedStep, set[asyncio.Future[int]]] = {}

    async def wait(self, step: AwaitedStep, *, timeout_seconds: float, look_first: bool) -> int | None:
        """The last position of the command that ended the step; None when the time is over.

        `look_first`: it may have ended before.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        with self._watched(step) as ended:
            while True:
                if look_first:
                    try:
                        async with asyncio.timeout(max(deadline - loop.time(), WATCH_SECONDS)):
                            position = await asyncio.to_thread(_step_end, self._log, self._codec, step)
                    except TimeoutError:
                        return None
                    if position is not None:
                        return position
                look_first = True
                left = deadline - loop.time()
                if left <= 0:
                    return None
                await asyncio.wait((ended,), timeout=min(left, WATCH_SECONDS))
                if ended.done():
                    return ended.result()

    def wrote(self, events: Iterable[tuple[str, Any]], last_position: int | None) -> None:
        """A command of this process has written these events, by stream, the last of them there."""
        if not self._waiting or last_position is None:
            return
        for stream, event in events:
            if isinstance(event, StepEnded):
                for ended in self._waiting.get(AwaitedStep(stream, event.step), ()):
                    if not ended.done():
                        ended.set_result(last_position)

    @property
    def watched(self) -> int:
        """How many steps somebody waits for."""
        return len(self._waiting)

    @contextmanager
    def _watched(self, step: AwaitedStep) -> Iterator[asyncio.Future[int]]:
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(step, set())
        waiting.add(ended)
        try:
            yield ended
        finally:
            waiting.discard(ended)
            if not waiting:
                del self._waiting[step]


def _step_end(log: EventReader, codec: Codec, step: AwaitedStep) -> int | None:
    """The last position of the command that ended the step; None while it is open."""
    for recorded in log.read_stream(step.stream):
        event = codec.decode(recorded)
        if isinstance(event, StepEnded) and event.step == step.step:
            row = log.journal_row(recorded.command_id)
            return row.last_position if row else recorded.position
    return None
