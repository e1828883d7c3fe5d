"""How far processes got, and what they have yet to do: kept beside the log, and no part of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import msgspec


class OpenWork(msgspec.Struct, frozen=True):
    """Something that a process still has to do.

    `queue` and `number` name it among all that its process has to do.
    """

    queue: str
    number: int
    due_at: datetime  # UTC
    position: int  # of the event that opened it


class TriedWork(msgspec.Struct, frozen=True):
    """Open work, and what became of it so far."""

    queue: str
    number: int
    due_at: datetime  # UTC
    position: int  # of the event that opened it
    tries: int = 0  # by the process that follows now
    failure: str | None = None  # why the last of them did not end it

    @property
    def place(self) -> WorkPlace:
        """Where it stands in the list of its process's work."""
        return self.position, self.queue, self.number


WorkPlace = tuple[int, str, int]
"""The position at which work was opened, its queue and its number: the order of the list."""

FIRST: WorkPlace = (0, "", 0)
"""Before all work."""


class ProgressStore(Protocol):
    """Every call may be made from any thread, and may raise StoreUnavailable."""

    def tracked(self, name: str) -> int | None:
        """The named reader's checkpoint; None before its first."""

    def resumed(self, name: str) -> int | None:
        """The process's checkpoint, as `tracked`.

        Where it stood in another history of the log it is 0 from now on, and what was open then is
        forgotten.
        """

    def open_work(self, name: str, *, due_from: datetime, due_before: datetime) -> list[OpenWork]:
        """What was open at the process's checkpoint, of which is due in that time."""

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
        """Moves a process's checkpoint from `after` (None: it has none) and notes what was opened since, and
        which queue and number closed, in one step. `event` is the identity of the event at `position`.

        False where the checkpoint stands elsewhere, because another follows, or the log has another event
        there, or none: then nothing was written.
        """

    def listed_work(self, name: str, *, after: WorkPlace = FIRST, limit: int) -> list[TriedWork]:
        """What was open at the process's checkpoint, the oldest first."""

    def find_work(self, name: str, queue: str, number: int) -> TriedWork | None:
        """One piece of what was open at the process's checkpoint; None where it is not."""

    def work_tried(self, name: str, tried: Collection[TriedWork]) -> None:
        """Notes what became of open work; of what is no longer open, nothing."""

    def request_retry(self, name: str, queue: str, number: int) -> bool:
        """Has open work tried without a further pause, by the process that follows. False: none is open."""

    def take_retries(self, name: str) -> list[tuple[str, int]]:
        """The queue and number of what is to be tried at once; each is given once."""
