"""Flat combining: calls from many threads share one round trip, without a thread of their own.

Whoever comes while nobody leads becomes the leader and executes its call at once. What queues meanwhile is
the next batch, and its first caller the next leader. One caller alone never waits for another thread.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from event_store.errors import StoreUnavailable

ENTRIES_MOST = 2_000
BYTES_MOST = 4 * 1024 * 1024


class Parcel(Protocol):
    """One call's work."""

    @property
    def kind(self) -> Hashable:
        """Only parcels of one kind go together."""

    @property
    def entries(self) -> Sequence[Any]:
        """What is counted."""

    @property
    def size_bytes(self) -> int:
        """How much of it there is."""

    @property
    def marks(self) -> Collection[Hashable]:
        """Parcels that share a mark never go together."""

    def prepare(self) -> None:
        """Does what can be done while the parcel waits for its turn."""


AnyParcel = TypeVar("AnyParcel", bound=Parcel)


class _Ticket(Generic[AnyParcel]):
    __slots__ = ("error", "gate", "leads", "parcel", "result")

    def __init__(self, parcel: AnyParcel) -> None:
        self.parcel = parcel
        self.result: Any = None
        self.error: Exception | None = None
        self.leads = False
        self.gate = threading.Lock()  # Taken while there is something to wait for.
        self.gate.acquire()


class Combiner(Generic[AnyParcel]):
    """Gathers parcels and hands them to `execute`, which gives a result for each, in order."""

    def __init__(self, execute: Callable[[list[AnyParcel]], Sequence[Any]]) -> None:
        self._execute = execute
        self._queue: deque[_Ticket[AnyParcel]] = deque()
        self._mutex = threading.Lock()
        self._led = False

    def submit(self, parcel: AnyParcel) -> Any:
        """The parcel's result; what `execute` raised is raised in every caller of the batch."""
        if self._led:  # It will have to wait: time to use.
            parcel.prepare()
        with self._mutex:
            alone = not self._led  # Then nobody queues.
            if alone:
                self._led = True
            else:
                ticket = _Ticket(parcel)
                self._queue.append(ticket)
        if alone:
            try:
                return self._execute([parcel])[0]
            finally:
                self._pass_on()
        ticket.gate.acquire()
        if ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise copy.copy(ticket.error) from ticket.error
        return ticket.result

    def _lead(self) -> None:
        batch = self._take()
        try:
            results = self._execute([ticket.parcel for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = result
        except Exception as error:
            for ticket in batch:
                ticket.error = error
        except BaseException:
            for ticket in batch:
                ticket.error = StoreUnavailable("the thread that sent this batch was interrupted")
            raise
        finally:
            # The next leader first: its batch travels while the callers of this one wake up.
            self._pass_on()
            for ticket in batch:
                ticket.gate.release()

    def _pass_on(self) -> None:
        """Names the next leader."""
        with self._mutex:
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].gate.release()
            else:
                self._led = False

    def _take(self) -> list[_Ticket[AnyParcel]]:
        """The leader's own ticket, and as many after it as go with it."""
        with self._mutex:
            queue = self._queue
            return [queue.popleft() for _ in range(fitting([ticket.parcel for ticket in queue]))]


def fitting(parcels: Sequence[Parcel]) -> int:
    """How many, from the first on, may travel together: at least one."""
    if len(parcels) == 1:
        return 1  # Not measured: measuring may mean packing.
    entries = size_bytes = 0
    marks: set[Hashable] = set()
    for count, parcel in enumerate(parcels):
        entries += len(parcel.entries)
        size_bytes += parcel.size_bytes
        if count and (
            entries > ENTRIES_MOST
            or size_bytes > BYTES_MOST
            or parcel.kind != parcels[0].kind
            or not marks.isdisjoint(parcel.marks)
        ):
            return count
        marks.update(parcel.marks)
    return len(parcels)
