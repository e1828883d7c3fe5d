"""Logs that misbehave at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from event_store.errors import StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.records import Entry, EventLog, Outcome


class InterruptedLog(MemoryLog):
    """Lets another process in just before the first command of a name is appended."""

    def __init__(self, at: str, interrupt: Callable[[EventLog], None]) -> None:
        super().__init__()
        self._at = at
        self._interrupt: Callable[[EventLog], None] | None = interrupt

    async def append_async(self, entries: Sequence[Entry], *, session: int | None = None) -> list[Outcome]:
        interrupt = self._interrupt
        if interrupt is not None and any(entry.name == self._at for entry in entries):
            self._interrupt = None
            await asyncio.to_thread(interrupt, self)
        return self.append(entries)


class FailingLog(MemoryLog):
    """Goes away at the nth append from now, before or after it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.after_writing = False

    def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        if self.left is None:
            return super().append(entries)
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self.after_writing):
            raise StoreUnavailable("away")
        outcomes = super().append(entries)
        if self.left == 0:
            raise StoreUnavailable("away before it answered")
        return outcomes
