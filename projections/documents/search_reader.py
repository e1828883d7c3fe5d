"""How the search index is read, whichever engine holds it."""

from __future__ import annotations

from typing import Protocol

from projections.documents.search import Page, Place, ProductQuery, Suggestions


class SearchReader(Protocol):
    """The reading side of a search index. Every call may raise ViewNotReady and ReadStoreUnavailable."""

    async def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        """A page of what was asked for, from `place` on.

        By relevance the list ends after DEPTH_MAX hits. Raises PlaceExpiredError for a place by relevance in
        a generation that is gone, and CurrencyNeededError. A place of the other kind of sorting is the
        caller's mistake.
        """

    async def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """What may be meant by what was typed so far, at most so many."""

    async def position(self) -> int:
        """The position of the last event in the index: all that was folded up to it is found."""

    async def close(self) -> None:
        """Gives back connections and threads."""
