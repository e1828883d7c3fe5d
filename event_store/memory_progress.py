"""Processes' progress in memory: see ProgressStore."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime

from event_store.progress import OpenWork


class MemoryProgress:
    """The part of the log in memory that is about processes."""

    _checkpoints: dict[str, int]
    _open_work: dict[str, dict[tuple[str, int], OpenWork]]  # by process

    def _open(self) -> threading.Condition:
        """The lock of all there is. StoreUnavailable once it is closed."""
        raise NotImplementedError

    def tracked(self, name: str) -> int | None:
        with self._open():
            return self._checkpoints.get(name)

    def open_work(self, name: str, *, due_from: datetime, due_before: datetime) -> list[OpenWork]:
        with self._open():
            kept = self._open_work.get(name, {}).values()
            return [work for work in kept if due_from <= work.due_at < due_before]

    def save_progress(
        self,
        name: str,
        *,
        after: int | None,
        position: int,
        opened: Collection[OpenWork],
        closed: Collection[tuple[str, int]],
    ) -> bool:
        with self._open():
            if self._checkpoints.get(name) != after:
                return False
            self._checkpoints[name] = position
            kept = self._open_work.setdefault(name, {})
            for key in closed:
                kept.pop(key, None)
            kept.update({(work.queue, work.number): work for work in opened})
            return True
