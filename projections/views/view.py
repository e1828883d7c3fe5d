"""What a read model is: a shape, a version, and a fold from events to documents.

No fold reads a clock, a random number, another document or a key: a view equals its rebuild, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from event_store.records import RecordedEvent


class PositionedDocument(Protocol):
    """Any document: it carries the position of its last event."""

    position: int


Document = TypeVar("Document", bound=PositionedDocument)


class Entry(NamedTuple):
    """A member of the sorted set that lies at a document key. Setting it again changes nothing."""

    key: str
    member: str
    score: int


@dataclass(frozen=True, slots=True)
class Ranking(Generic[Document]):
    """A sorted set over all documents of a view, their keys its members."""

    name: str
    score: Callable[[Document], int | None]
    """The document's score; None: it is not in the ranking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentView(Generic[Document]):
    """One document per key, folded from the events that name it."""

    name: str
    model: int
    """The read model's version: raised when its shape or its fold changes, so that it is built anew."""
    shape: type[Document]
    events: frozenset[type[Any]]
    facts: Callable[[Any, RecordedEvent], Sequence[tuple[str, Any]]]
    """The keys of the documents that an event of `events` names, each once, and what it gives each of them:
    mostly the event itself."""
    evolve: Callable[[str, Document | None, Any, RecordedEvent], Document]
    """The document under this key after the fact; may change it in place. None: its first one. The document's
    `position` is set by the caller."""
    ranking: Ranking[Document] | None = None
    kept_seconds: int | None = None
    """How long a document stays after its last event, None: for ever. The ranking's score is then the second
    in which that was recorded. What is older than the log's newest event by more is gone, whichever key that
    event names; so a document goes by events, not by a clock."""

    def is_gone(self, document: Document, recorded: RecordedEvent) -> bool:
        """Whether the document has gone by the time of the event."""
        if self.kept_seconds is None or self.ranking is None:
            return False
        score = self.ranking.score(document)
        return score is not None and score < second_of(recorded) - self.kept_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesView:
    """One sorted set per key; what an event adds does not depend on what is there."""

    name: str
    model: int
    events: frozenset[type[Any]]
    entry: Callable[[Any, RecordedEvent], Entry | None]
    """What the event adds; None: nothing."""


View = DocumentView[Any] | EntriesView


def second_of(recorded: RecordedEvent) -> int:
    """When it was recorded, in whole seconds since 1970."""
    return int(recorded.recorded_at.timestamp())
