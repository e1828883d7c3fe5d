"""Handing commands to the handling loop, many at a time and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aggregates.kernel import Rejected
from commands.decision import IMPORT_CHANNEL, Actor, Answer, Context
from commands.handling import Handling

CHUNK_EVENTS = 3_000
"""Events in one append call, about: enough to be fast, few enough not to keep the shop's own waiting long."""

Amend = Callable[[], Awaitable[Any]]
"""Makes a command anew where the shop said no to it."""


@dataclass(slots=True)
class _Chunk:
    tasks: list[asyncio.Task[bool]] = field(default_factory=list)
    events: int = 0
    done: list[Callable[[], None]] = field(default_factory=list)


class Submitter:
    """Sends commands in chunks: while one is appended the next is made. Nothing is sent out of order."""

    def __init__(self, handling: Handling, *, actor: str) -> None:
        """`actor` is the importer's name in the journal."""
        self._handling = handling
        self._actor = Actor("import", actor)
        self._filling = _Chunk()
        self._sent = _Chunk()
        self.written = 0  # commands that were new to the log

    async def submit(
        self, command: Any, *, valid_at: datetime, events: int, amend: Amend | None = None
    ) -> None:
        """Queues a command that will write about so many events; `amend` makes it anew if it is refused."""
        task = asyncio.create_task(self._handle(command, valid_at, amend))
        self._filling.tasks.append(task)
        self._filling.events += events
        if self._filling.events >= CHUNK_EVENTS:
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
        tasks = [*self._sent.tasks, *self._filling.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self) -> None:
        """Waits for the chunk sent last and sends the one that is full."""
        before, self._sent, self._filling = self._sent, self._filling, _Chunk()
        await asyncio.sleep(0)  # The new tasks reach the handling loop's queue, in order.
        self.written += sum(await asyncio.gather(*before.tasks))
        for call in before.done:
            call()

    async def _handle(self, command: Any, valid_at: datetime, amend: Amend | None) -> bool:
        context = Context(actor=self._actor, channel=IMPORT_CHANNEL, valid_at=valid_at)
        answer: Answer
        try:
            answer = await self._handling.handle(command, context)
        except Rejected:
            if amend is None:
                raise
            again = await amend()
            if again is None:
                raise
            answer = await self._handling.handle(
                again, Context(actor=self._actor, channel=IMPORT_CHANNEL, valid_at=valid_at)
            )
        return answer.created
