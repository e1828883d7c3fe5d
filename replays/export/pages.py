"""The log's events in order, page by page, as tables."""

from __future__ import annotations

import gc
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Self

import pyarrow as pa

from event_store.errors import AnotherHistory
from event_store.history import LIMIT_MAX, read_on
from event_store.records import Checkpoint, EventReader, RecordedEvent
from replays.export.tables import event_tables, tables_of

PAGE = LIMIT_MAX
PAGES_AHEAD = 3


class Page(NamedTuple):
    """Some events that follow each other, as tables by type, and the place after them."""

    tables: dict[str, pa.Table]
    checkpoint: Checkpoint
    size: int  # events


class Pages:
    """The log's events from a checkpoint on. While one page is taken, one is read and two become tables."""

    def __init__(self, log: EventReader, after: Checkpoint, head: int) -> None:
        self._log, self._after, self._head = log, after, head
        self._shapes = event_tables()
        self._reading, self._converting = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        self._ahead: deque[Future[Page | None]] = deque()
        self._collects = False

    def __enter__(self) -> Self:
        # A page is thousands of objects and no cycle among them: to look for some takes longer than the rest.
        self._collects = gc.isenabled()
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._reading, self._converting):
            pool.shutdown(cancel_futures=True)
        if self._collects:
            gc.enable()

    def take(self) -> Page | None:
        """The next page; None after the last. AnotherHistory where the log has other events now than those
        before it, UnknownEvent, DecodingFailed."""
        while len(self._ahead) < PAGES_AHEAD:
            self._ahead.append(self._converting.submit(self._convert, self._reading.submit(self._read)))
        return self._ahead.popleft().result()

    def _read(self) -> list[RecordedEvent]:
        """In one thread, page after page."""
        if self._after.position >= self._head:
            return []
        events = read_on(self._log, self._after, limit=PAGE, up_to=self._head)
        if not events:
            raise AnotherHistory(f"the log ends before position {self._head}")
        self._after = events[-1].checkpoint
        return events

    def _convert(self, reading: Future[list[RecordedEvent]]) -> Page | None:
        events = reading.result()
        if not events:
            return None
        return Page(tables_of(events, self._shapes), events[-1].checkpoint, len(events))
