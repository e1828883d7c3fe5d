"""Processes' progress in the log's database: see ProgressStore."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from event_store.limits import is_storable
from event_store.postgres.connections import Connections
from event_store.progress import FIRST, OpenWork, TriedWork, WorkPlace


class PostgresProgress:
    """The part of the log's store that is about processes."""

    _reading: Connections

    def tracked(self, name: str) -> int | None:
        if not is_storable(name):
            return None
        row = self._reading.row("checkpoint", {"name": name})
        return None if row is None else int(row[0])

    def resumed(self, name: str) -> int | None:
        self._reading.execute("forget_other_progress", {"name": name})
        return self.tracked(name)

    def open_work(self, name: str, *, due_from: datetime, due_before: datetime) -> list[OpenWork]:
        parameters = {"name": name, "due_from": due_from, "due_before": due_before}
        return self._reading.rows("open_work", parameters, make=OpenWork)

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
        changes = {
            "queues": [work.queue for work in opened],
            "numbers": [work.number for work in opened],
            "due": [work.due_at for work in opened],
            "positions": [work.position for work in opened],
            "closed_queues": [queue for queue, _ in closed],
            "closed_numbers": [number for _, number in closed],
        }
        row = self._reading.row(
            "save_progress", {"name": name, "after": after, "position": position, "event": event} | changes
        )
        return row is not None and row[0] == 1

    def listed_work(self, name: str, *, after: WorkPlace = FIRST, limit: int) -> list[TriedWork]:
        position, queue, number = after
        page = {"name": name, "position": position, "queue": queue, "number": number, "limit": limit}
        return self._reading.rows("listed_work", page, make=TriedWork)

    def find_work(self, name: str, queue: str, number: int) -> TriedWork | None:
        if not is_storable(queue):
            return None
        work = {"name": name, "queue": queue, "number": number}
        found: list[TriedWork] = self._reading.rows("find_work", work, make=TriedWork)
        return found[0] if found else None

    def work_tried(self, name: str, tried: Collection[TriedWork]) -> None:
        columns = {
            "queues": [work.queue for work in tried],
            "numbers": [work.number for work in tried],
            "positions": [work.position for work in tried],
            "tries": [work.tries for work in tried],
            "failures": [work.failure for work in tried],
        }
        self._reading.execute("work_tried", {"name": name} | columns)

    def request_retry(self, name: str, queue: str, number: int) -> bool:
        work = {"name": name, "queue": queue, "number": number}
        return is_storable(queue) and self._reading.row("request_retry", work) is not None

    def take_retries(self, name: str) -> list[tuple[str, int]]:
        return self._reading.rows("take_retries", {"name": name})
