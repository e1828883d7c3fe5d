"""Folds a batch of events into documents' bytes, wherever those are stored.

A document is decoded once per batch and encoded once, so what is held between batches is exactly what is
stored and served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, NamedTuple

import msgspec

from event_store.records import RecordedEvent
from projections.engine.follower import Decoded, FoldFailed, of_classes
from projections.views.view import Document, DocumentView, EntriesView, Entry, View, second_of

_ENCODER = msgspec.json.Encoder()


class RankingEntry(NamedTuple):
    """A document's place in its view's ranking; score None: it is not in it."""

    name: str
    member: str
    score: int | None


class Floor(NamedTuple):
    """Documents whose score in the ranking is below it are gone."""

    ranking: str
    score: int


class Changes(NamedTuple):
    """What a batch makes of a view: complete documents by key, entries of sorted sets, places in the ranking;
    and what goes."""

    documents: Mapping[str, bytes]
    entries: Sequence[Entry] = ()
    rankings: Sequence[RankingEntry] = ()
    floor: Floor | None = None


class Fact(NamedTuple):
    """One fact for one document."""

    key: str
    fact: Any
    recorded: RecordedEvent


Load = Callable[[Collection[str]], Mapping[str, bytes]]
"""The stored bytes of those documents among the keys that exist."""


class DocumentFold(Generic[Document]):
    """Folds one view's documents."""

    def __init__(self, view: DocumentView[Document]) -> None:
        self._view = view
        self._decoder = msgspec.json.Decoder(view.shape)

    def facts_of(self, batch: Sequence[Decoded]) -> list[Fact]:
        """The facts for each document, in the order of the log. Raises FoldFailed."""
        facts = self._view.facts
        found: list[Fact] = []
        recorded = None
        try:
            for recorded, event in of_classes(batch, self._view.events):
                for key, fact in facts(event, recorded):
                    found.append(Fact(key, fact, recorded))
        except Exception as error:
            raise failed_at(recorded, error) from error
        return found

    def fold(self, facts: Sequence[Fact], load: Load) -> Changes:
        """The documents after the facts; what is not above a document's position is counted in it.

        Raises FoldFailed, and DecodeError where a stored document is damaged.
        """
        stored = load({key for key, _, _ in facts})
        decode, evolve = self._decoder.decode, self._view.evolve
        is_gone, some_go = self._view.is_gone, self._view.kept_seconds is not None
        documents: dict[str, Document] = {key: decode(value) for key, value in stored.items()}
        changed: dict[str, Document] = {}
        recorded = None
        try:
            for key, fact, recorded in facts:
                document = documents.get(key)
                if document is None or recorded.position > document.position:
                    if some_go and document is not None and is_gone(document, recorded):
                        document = None
                    document = documents[key] = changed[key] = evolve(key, document, fact, recorded)
                    document.position = recorded.position
        except Exception as error:
            raise failed_at(recorded, error) from error
        return self._encoded(changed)

    def _encoded(self, changed: Mapping[str, Document]) -> Changes:
        encode, ranking = _ENCODER.encode, self._view.ranking
        encoded: dict[str, bytes] = {}
        rankings: list[RankingEntry] = []
        position = 0
        try:
            for key, document in changed.items():
                position = document.position
                encoded[key] = encode(document)
                if ranking is not None:
                    rankings.append(RankingEntry(ranking.name, key, ranking.score(document)))
        except Exception as error:
            raise FoldFailed(position, reason_of(error)) from error
        return Changes(encoded, rankings=rankings)


class EntriesFold:
    """Collects one view's entries; they are absolute, so nothing is loaded."""

    def __init__(self, view: EntriesView) -> None:
        self._view = view

    def facts_of(self, batch: Sequence[Decoded]) -> list[Fact]:
        """The entries, each for its key. Raises FoldFailed."""
        facts = []
        recorded = None
        try:
            for recorded, event in of_classes(batch, self._view.events):
                entry = self._view.entry(event, recorded)
                if entry is not None:
                    facts.append(Fact(entry.key, entry, recorded))
        except Exception as error:
            raise failed_at(recorded, error) from error
        return facts

    def fold(self, facts: Sequence[Fact], load: Load) -> Changes:
        """Entries as the facts give them."""
        return Changes({}, entries=[fact for _, fact, _ in facts])


def floor_of(view: View, batch: Sequence[Decoded]) -> Floor | None:
    """Below which documents of the view are gone once the batch is folded; None: none goes."""
    if isinstance(view, EntriesView) or view.kept_seconds is None or view.ranking is None or not batch:
        return None
    return Floor(view.ranking.name, second_of(batch[-1].recorded) - view.kept_seconds)


def failed_at(recorded: RecordedEvent | None, error: Exception) -> FoldFailed:
    """What a view's own code raised at the event."""
    assert recorded is not None, "code that is not the view's failed"
    return FoldFailed(recorded.position, reason_of(error))


def reason_of(error: Exception) -> str:
    """What kind of error it is, and what it says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


Fold = DocumentFold[Any] | EntriesFold


def fold_of(view: View) -> Fold:
    """The fold that suits the view."""
    return EntriesFold(view) if isinstance(view, EntriesView) else DocumentFold(view)
