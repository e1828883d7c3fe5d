"""Handing commands to the handling loop, many at a time and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aggregates.kernel import Rejected
from commands.loop.decision import IMPORT_CHANNEL, Actor, Context
from commands.loop.handling import Handling

CHUNK_EVENTS = 3_000
"""Events in one append call, about: enough to be fast, few enough not to keep the shop's own waiting long."""

Amend = Callable[[], Awaitable[Any]]
"""Makes a command anew after its rejection; None where there is no other way to write it down."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    command: Any
    valid_at: datetime
    amend: Amend | None


@dataclass(slots=True)
class _Chunk:
    commands: list[_Waiting] = field(default_factory=list)
    events: int = 0
    done: list[Callable[[], None]] = field(default_factory=list)


class Submitter:
    """Sends commands in chunks. A chunk is sent when the one before it is in the log, and made meanwhile.

    So when the log fails, or this process dies, nothing stands in the log without what came before it.
    """

    def __init__(self, handling: Handling, *, actor: str, chunk_events: int = CHUNK_EVENTS) -> None:
        """`actor` is the importer's name in the journal."""
        self._handling = handling
        self._actor = Actor("import", actor)
        self._chunk_events = chunk_events
        self._filling = _Chunk()
        self._sent: list[asyncio.Task[bool]] = []
        self._sent_done: list[Callable[[], None]] = []
        self.written = 0  # commands that were new to the log

    async def submit(
        self, command: Any, *, valid_at: datetime, events: int, amend: Amend | None = None
    ) -> None:
        """Queues a command that will write about so many events; `amend` makes it anew if it is refused."""
        self._filling.commands.append(_Waiting(command, valid_at, amend))
        self._filling.events += events
        if self._filling.events >= self._chunk_events:
            await self._turn()

    def when_done(self, call: Callable[[], None]) -> None:
        """Calls back once everything queued so far is in the log."""
        self._filling.done.append(call)

    async def flush(self) -> None:
        """Returns once everything queued is in the log. Raises what the handling loop raised."""
        await self._turn()
        await self._turn()

    async def abandon(self) -> None:
        """Gives up what was not answered yet."""
        for task in self._sent:
            task.cancel()
        await asyncio.gather(*self._sent, return_exceptions=True)

    async def _turn(self) -> None:
        """Waits for the chunk that was sent and sends the one that is full."""
        self.written += sum(await asyncio.gather(*self._sent))
        for call in self._sent_done:
            call()
        chunk, self._filling = self._filling, _Chunk()
        self._sent_done = chunk.done
        self._sent = [asyncio.create_task(self._handle(waiting)) for waiting in chunk.commands]
        for _ in range(5):
            # Lets the handling loop decide the chunk: it is appended in a thread while the next is made here.
            await asyncio.sleep(0)

    async def _handle(self, waiting: _Waiting) -> bool:
        try:
            return (await self._handling.handle(waiting.command, self._context(waiting))).created
        except Rejected:
            again = None if waiting.amend is None else await waiting.amend()
            if again is None:
                raise
            return (await self._handling.handle(again, self._context(waiting))).created

    def _context(self, waiting: _Waiting) -> Context:
        return Context(actor=self._actor, channel=IMPORT_CHANNEL, valid_at=waiting.valid_at)
