"""Processes' progress in memory: see ProgressStore."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime

from event_store.progress import FIRST, OpenWork, TriedWork, WorkPlace
from event_store.records import RecordedEvent


class MemoryProgress(ABC):
    """The part of the log in memory that is about processes."""

    _checkpoints: dict[str, int]
    _checkpoint_events: dict[str, str | None]
    _events: list[RecordedEvent]
    _open_work: dict[str, dict[tuple[str, int], OpenWork]]  # by process
    _tried: dict[tuple[str, OpenWork], tuple[int, str | None]]  # by process and work
    _retries: dict[str, set[tuple[str, int]]]  # by process

    @abstractmethod
    def _open(self) -> threading.Condition:
        """The lock of all there is. StoreUnavailable once it is closed."""

    def tracked(self, name: str) -> int | None:
        with self._open():
            return self._checkpoints.get(name)

    def resumed(self, name: str) -> int | None:
        with self._open():
            position, event = self._checkpoints.get(name, 0), self._checkpoint_events.get(name)
            if position > 0 and not self._stands(position, event):
                self._checkpoints[name] = 0
                self._open_work.pop(name, None)
            return self._checkpoints.get(name)

    def _stands(self, position: int, event: str | None) -> bool:
        there = self._events[position - 1 : position]
        return bool(there) and event in {None, there[0].identity}

    def open_work(self, name: str, *, due_from: datetime, due_before: datetime) -> list[OpenWork]:
        with self._open():
            works = self._open_work.get(name, {}).values()
            return [work for work in works if due_from <= work.due_at < due_before]

    def save_progress(
        self,
        name: str,
        *,
        after: int | None,
        position: int,
        opened: Collection[OpenWork],
        closed: Collection[tuple[str, int]],
        event: str | None = None,
    ) -> bool:
        with self._open():
            if self._checkpoints.get(name) != after:
                return False
            if event is not None and not self._stands(position, event):
                return False
            self._checkpoints[name] = position
            self._checkpoint_events[name] = event
            works = self._open_work.setdefault(name, {})
            for key in closed:
                works.pop(key, None)
            works.update({(work.queue, work.number): work for work in opened})
            return True

    def listed_work(self, name: str, *, after: WorkPlace = FIRST, limit: int) -> list[TriedWork]:
        with self._open():
            listed = [self._with_tries(name, work) for work in self._open_work.get(name, {}).values()]
            return sorted((work for work in listed if work.place > after), key=lambda work: work.place)[
                :limit
            ]

    def find_work(self, name: str, queue: str, number: int) -> TriedWork | None:
        with self._open():
            work = self._open_work.get(name, {}).get((queue, number))
            return None if work is None else self._with_tries(name, work)

    def _with_tries(self, name: str, work: OpenWork) -> TriedWork:
        tries = self._tried.get((name, work), (0, None))
        return TriedWork(work.queue, work.number, work.due_at, work.position, *tries)

    def work_tried(self, name: str, tried: Collection[TriedWork]) -> None:
        with self._open():
            for one in tried:
                work = OpenWork(one.queue, one.number, one.due_at, one.position)
                if work in self._open_work.get(name, {}).values():
                    self._tried[name, work] = one.tries, one.failure

    def request_retry(self, name: str, queue: str, number: int) -> bool:
        with self._open():
            if (queue, number) not in self._open_work.get(name, {}):
                return False
            self._retries.setdefault(name, set()).add((queue, number))
            return True

    def take_retries(self, name: str) -> list[tuple[str, int]]:
        with self._open():
            return list(self._retries.pop(name, ()))
