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
