"""Clauses as the embedded engine's queries, in one commit of an index."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache

import tantivy

from projections.documents.search import POPULARITY_MAX
from projections.documents.words import weights
from projections.documents.words.clauses import (
    AllOf,
    Beginning,
    BestOf,
    Clause,
    Constant,
    Near,
    Popularity,
    Preferred,
    SomeOf,
    Token,
    Weighted,
)

_UNSCORED = frozenset({"whole"})
"""Fields that are indexed without how often they have a token."""

_TOKENS_MAX = 16_384
"""Whether they are there is remembered of so many."""


class ClauseQueries:
    """Translates clauses."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher
        self.has = lru_cache(maxsize=_TOKENS_MAX)(self._has)

    def query(self, clause: Clause) -> tantivy.Query:
        """What finds and scores the same."""
        match clause:
            case Token(field, token, weight):
                option = "basic" if field in _UNSCORED else "freq"
                query = _weighted(tantivy.Query.term_query(self._schema, field, token, option), weight)
            case BestOf(clauses):
                query = tantivy.Query.disjunction_max_query(self._queries(clauses), weights.TIE)
            case AllOf(clauses):
                query = tantivy.Query.boolean_query(
                    [(tantivy.Occur.Must, query) for query in self._queries(clauses)]
                )
            case SomeOf(clauses, enough):
                query = tantivy.Query.boolean_query(
                    [(tantivy.Occur.Should, query) for query in self._queries(clauses)],
                    minimum_number_should_match=enough,
                )
            case Beginning(field, letters, weight):
                query = self._fuzzy(field, letters, weight, slips=0, begun=True)
            case Near(field, word, slips, weight, begun):
                query = self._fuzzy(field, word, weight, slips=slips, begun=begun)
            case Constant(inner, score):
                query = tantivy.Query.const_score_query(self.query(inner), score)
            case Weighted(inner, weight):
                query = _weighted(self.query(inner), weight)
            case Preferred(found, preferred):
                query = self.preferring(self.query(found), preferred)
            case Popularity(weight):
                query = tantivy.Query.boolean_query(
                    [
                        (tantivy.Occur.Should, tantivy.Query.const_score_query(query, weight * level))
                        for level, query in self._levels
                    ]
                )
        return query

    def preferring(self, found: tantivy.Query, preferred: Iterable[Clause]) -> tantivy.Query:
        """What a query finds, scored also by these clauses."""
        queries = [(tantivy.Occur.Should, query) for query in self._queries(preferred)]
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, found), *queries])

    def _has(self, field: str, token: str) -> bool:
        return bool(self._searcher.doc_freq(field, token))

    def _fuzzy(self, field: str, word: str, weight: float, *, slips: int, begun: bool) -> tantivy.Query:
        query = tantivy.Query.fuzzy_term_query(self._schema, field, word, slips, prefix=begun)
        return _weighted(query, weight)

    @cached_property
    def _levels(self) -> list[tuple[int, tantivy.Query]]:
        """The levels of popularity that there are, but for none."""
        found = (
            (level, tantivy.Query.term_query(self._schema, "popularity", level, "basic"))
            for level in range(1, POPULARITY_MAX + 1)
        )
        return [(level, query) for level, query in found if self._searcher.doc_freq("popularity", level)]

    def _queries(self, clauses: Iterable[Clause]) -> list[tantivy.Query]:
        return [self.query(clause) for clause in clauses]


def _weighted(query: tantivy.Query, weight: float) -> tantivy.Query:
    return query if weight == 1.0 else tantivy.Query.boost_query(query, weight)
