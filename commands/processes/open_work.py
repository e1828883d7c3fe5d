"""The open work of one kind of process that is due soon, and what changed since it was last saved.

What is due later lies in the log's table `open_work` alone, however much that is.
"""

from __future__ import annotations

import heapq
from datetime import datetime

from commands.processes.kind import AT_ONCE, Change, Closed, Opened
from event_store.progress import OpenWork

Name = tuple[str, int]
"""A queue and a number in it."""


class Agenda:
    """As of `position`, the last position looked at; knows all that is due before `horizon`.

    `is_prepared_for`: whether `take_ahead` will be called.
    """

    def __init__(self, position: int, *, is_prepared_for: bool = False) -> None:
        self.position = position
        self.horizon = AT_ONCE
        self.open_soon = 0  # pieces of work that are due before the horizon
        self._queues: dict[str, dict[int, OpenWork]] = {}
        self._waiting: list[tuple[datetime, str, int]] = []  # a heap; may name what is closed or taken
        self._is_prepared_for = is_prepared_for
        self._ahead: list[tuple[datetime, str, int]] = []  # the same, of what is not prepared for
        self._taken: set[Name] = set()  # of what is open
        self._changed: dict[Name, OpenWork | None] = {}  # None: closed

    def load(self, saved: list[OpenWork], horizon: datetime) -> None:
        """Takes in what was saved, due from the old horizon to the new one. Nothing may be unsaved."""
        self.horizon = horizon
        for work in saved:
            self._remember(work)

    def note(self, change: Change, position: int) -> None:
        """What the event at `position` has opened or closed."""
        match change:
            case Opened(queue=queue, number=number, due_at=due_at):
                work = OpenWork(queue, number, due_at, position)
                self._forget(queue, number)
                self._changed[queue, number] = work
                if due_at < self.horizon:
                    self._remember(work)
            case Closed(queue=queue, number=number):
                self._forget(queue, number)
                self._changed[queue, number] = None

    def take_due(self, now: datetime) -> list[OpenWork]:
        """What became due, of each queue the first, each of them once."""
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            _, queue, number = heapq.heappop(self._waiting)
            works = self._queues.get(queue, {})
            first = min((n for n, work in works.items() if work.due_at <= now), default=None)
            if number == first and (queue, number) not in self._taken:
                self._taken.add((queue, number))
                due.append(works[number])
        return due

    def take_ahead(self, until: datetime, limit: int) -> list[OpenWork]:
        """Some of what is due by then, each once: what is to be prepared for."""
        works: list[OpenWork] = []
        while len(works) < limit and self.is_ahead(until):
            due_at, queue, number = heapq.heappop(self._ahead)
            work = self._queues.get(queue, {}).get(number)
            if work is not None and work.due_at == due_at and (queue, number) not in self._taken:
                works.append(work)
        return works

    def is_ahead(self, until: datetime) -> bool:
        """Whether there may be something due by then that is not prepared for."""
        return bool(self._ahead) and self._ahead[0][0] <= until

    def take_changes(self) -> tuple[list[OpenWork], list[Name]]:
        """What was opened and what was closed since the last call."""
        changed, self._changed = self._changed, {}
        opened = [work for work in changed.values() if work is not None]
        return opened, [name for name, work in changed.items() if work is None]

    def is_open(self, work: OpenWork) -> bool:
        """Whether it is still to be done."""
        return self._queues.get(work.queue, {}).get(work.number) == work

    def next_due(self) -> datetime | None:
        """When there may be something to do; None where that is not before the horizon."""
        return self._waiting[0][0] if self._waiting else None

    def _remember(self, work: OpenWork) -> None:
        self._queues.setdefault(work.queue, {})[work.number] = work
        self.open_soon += 1
        heapq.heappush(self._waiting, (work.due_at, work.queue, work.number))
        if self._is_prepared_for:
            heapq.heappush(self._ahead, (work.due_at, work.queue, work.number))

    def _forget(self, queue: str, number: int) -> None:
        works = self._queues.get(queue)
        if works is None or works.pop(number, None) is None:
            return
        self.open_soon -= 1
        self._taken.discard((queue, number))
        if not works:
            del self._queues[queue]
        for work in works.values():
            if work.number > number:  # It may have been in the way of the next.
                heapq.heappush(self._waiting, (work.due_at, queue, work.number))
