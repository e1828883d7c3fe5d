"""The protocol for a kind of process, each a file of this folder: the events it reads, what they open and
close, and what it does about each piece of open work once that is due.

Work is opened by an event and closed by an event, by nothing else. So what is open follows from the log
alone, and the next process that follows it finds the same. A timer is work that is due later;
a schedule, work whose end opens the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from event_store.progress import OpenWork
from event_store.records import EventLog, RecordedEvent

AT_ONCE = datetime.min.replace(tzinfo=UTC)
"""When work is due that does not wait for a moment; no clock is asked."""


CHECKPOINT_BEFORE_KINDS = "processes"
"""Where payment and expiry were followed together before each had a checkpoint of its own: the position
before the oldest of what was open."""


@dataclass(frozen=True, slots=True)
class Opened:
    """There is something to do, at `due_at` (UTC) or later. Opened again it is that instead.

    Of the work that is due in one queue the lowest number is done first, and the next once it is closed.
    """

    queue: str
    number: int = 0
    due_at: datetime = AT_ONCE


@dataclass(frozen=True, slots=True)
class Closed:
    """It is done, or no longer to be done. What was never opened may be closed too."""

    queue: str
    number: int = 0


Change = Opened | Closed


@dataclass(frozen=True, slots=True)
class Due:
    """Open work whose time has come, with the event that opened it."""

    work: OpenWork
    recorded: RecordedEvent
    event: Any
    now: datetime  # the moment that was read when it was found due

    @property
    def key(self) -> str:
        """Names the work for ever: what is done under it in another system is done once."""
        return f"{self.work.queue}/{self.work.number}"


class NotYet(Exception):  # noqa: N818 - not an error: the world is not ready
    """The work cannot be done now, for a reason that is none of our making: it is tried again."""


class ProcessKind(Protocol):
    """A kind of process. One process of the system at a time follows the log for it."""

    @property
    def name(self) -> str:
        """Of the kind, its lock, its checkpoint and its actor; for ever."""

    @property
    def event_names(self) -> Collection[str]:
        """The stored names of the events that it reads."""

    @property
    def at_once_max(self) -> int:
        """How many pieces of work are under way at a time."""

    @property
    def round_seconds(self) -> float:
        """A busy log wakes it no more often than this; sooner to see the end of its one piece of work."""

    def starts_at(self, log: EventLog) -> int:
        """The position after which it begins on a log that it has never followed.

        0 for a kind that owes something to what happened before it was there; the log's head for one that
        must not act on that, as mail.
        """

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """What an event opens and closes: a function of the event alone."""

    async def do(self, due: Due) -> Any:
        """The command that ends the work, once whatever must be done before it is done.

        May be called again for the same work: after a crash, and where the command decided nothing. Raises
        NotYet.
        """


@runtime_checkable
class DoesTogether(Protocol):
    """A kind of process that does many pieces of work by one command, where many are due."""

    @property
    def together_max(self) -> int:
        """How many pieces of work one command may be for."""

    def streams(self, works: Sequence[OpenWork]) -> Iterable[str]:
        """Those that the command for these is going to need: they are loaded before the works are due."""

    def do_together(self, works: Sequence[OpenWork], now: datetime) -> Any:
        """The command that ends all of them, as of the moment at which they were found due.

        What it leaves open, and all where it fails, is then done one by one, by `do`.
        """
