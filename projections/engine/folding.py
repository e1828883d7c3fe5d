"""Folds a batch of events into documents' bytes, wherever those are stored.

A document is decoded once per batch and encoded once, so what is held between batches is exactly what is
stored and served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, NamedTuple

import msgspec

from event_store.records import RecordedEvent
from projections.engine.follower import Decoded
from projections.views.view import Document, DocumentView, EntriesView, Entry, View

_ENCODER = msgspec.json.Encoder()


class RankingEntry(NamedTuple):
    """A document's place in its view's ranking; score None: it is not in it."""

    name: str
    member: str
    score: int | None


class Changes(NamedTuple):
    """What a batch makes of a view: whole documents by key, entries of sorted sets, places in the ranking."""

    documents: Mapping[str, bytes]
    entries: Sequence[Entry] = ()
    rankings: Sequence[RankingEntry] = ()


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
        """The facts for each document, in the order of the log."""
        wanted, facts = self._view.events, self._view.facts
        return [
            Fact(key, fact, recorded)
            for recorded, event in batch
            if type(event) in wanted
            for key, fact in facts(event, recorded)
        ]

    def fold(self, facts: Sequence[Fact], load: Load) -> Changes:
        """The documents after the facts; what is not above a document's position is counted in it."""
        stored = load({key for key, _, _ in facts})
        decode, evolve = self._decoder.decode, self._view.evolve
        documents: dict[str, Document] = {key: decode(value) for key, value in stored.items()}
        changed: dict[str, Document] = {}
        for key, fact, recorded in facts:
            document = documents.get(key)
            if document is None or recorded.position > document.position:
                document = documents[key] = changed[key] = evolve(key, document, fact, recorded)
                document.position = recorded.position
        encode, ranking = _ENCODER.encode, self._view.ranking
        return Changes(
            {key: encode(document) for key, document in changed.items()},
            rankings=()
            if ranking is None
            else [
                RankingEntry(ranking.name, key, ranking.score(document)) for key, document in changed.items()
            ],
        )


class EntriesFold:
    """Collects one view's entries; they are absolute, so nothing is loaded."""

    def __init__(self, view: EntriesView) -> None:
        self._view = view

    def facts_of(self, batch: Sequence[Decoded]) -> list[Fact]:
        """The entries, each for its key."""
        facts = []
        for recorded, event in batch:
            if type(event) in self._view.events:
                entry = self._view.entry(event, recorded)
                if entry is not None:
                    facts.append(Fact(entry.key, entry, recorded))
        return facts

    def fold(self, facts: Sequence[Fact], load: Load) -> Changes:
        """Entries as the facts give them."""
        return Changes({}, entries=[fact for _, fact, _ in facts])


Fold = DocumentFold[Any] | EntriesFold


def fold_of(view: View) -> Fold:
    """The fold that suits the view."""
    return EntriesFold(view) if isinstance(view, EntriesView) else DocumentFold(view)
