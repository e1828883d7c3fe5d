"""A query plan as Elasticsearch's queries: the same tiers as in the embedded engine.

A product has a word as it was typed, or only begun, or with a slip of the keys: all words as typed make the
first tier, then the begun ones, then slips.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from projections.documents.words import weights
from projections.documents.words.query_plan import PlannedWord, QueryPlan

Clause = dict[str, Any]

NONE: Clause = {"match_none": {}}

_PATTERN_LETTERS_MAX = 14  # The engine takes patterns of up to 1,000 characters.

_BM25 = 2.2
"""The factor k1 + 1, which this engine leaves out of its scores."""


class WordQueries:
    """The queries of one plan."""

    def __init__(self, plan: QueryPlan) -> None:
        self.plan = plan
        self.words = [WordQuery(word) for word in plan.demanded]
        self.exact = every(word.exact for word in self.words)
        self.begun = every(word.begun for word in self.words)
        self.slipped = every(word.slipped for word in self.words)

    @property
    def has_slips(self) -> bool:
        """Whether slips are looked for in any word."""
        return any(word.planned.slips for word in self.words)

    def ranked(self, found: Clause, tiers: Iterable[Clause] = ()) -> Clause:
        """What `found` finds, in order: these tiers first, each above the sum of all that follows."""
        plan = self.plan
        preferred = [constant(tier, weights.TIER) for tier in tiers]
        preferred.append(constant(self._in_title, weights.IN_TITLE))
        as_written = every({"term": {"title": word.exact}} for word in plan.words)
        levels = [constant(as_written, weights.AS_WRITTEN), popularity(weights.POPULARITY)]
        preferred.append({"bool": {"must": levels}})
        if plan.whole:
            preferred.append(constant({"term": {"whole": plan.whole}}, weights.WHOLE))
        codes = {code for word in plan.words for code in word.codes if not code.isalpha()}
        for code in sorted(codes):
            length = min(len(code), weights.CODE_LENGTH_MAX)
            ways: list[tuple[Clause, float]] = [
                ({"term": {field: code}}, weight) for field, weight in weights.CODES.items()
            ]
            ways.append(({"prefix": {"codes": code}}, weights.CODE_BEGUN))
            preferred += [constant(query, weight * length) for query, weight in ways]
        preferred += [_token("title", word.exact, 1.0) for word in plan.words if word.is_little]
        return {"bool": {"must": [found], "should": preferred}}

    def suggested(self, *, with_slips: bool) -> Clause:
        """Products that have all words, the last one begun, or with slips, each with one slip: first
        what has the words in its title, of these the most popular."""
        found = every(word.suggested for word in self.words) if with_slips else self.begun
        half = weights.SUGGESTED_POPULARITY / 2
        preferred = [popularity(weights.SUGGESTED_POPULARITY), constant(self._in_title, weights.TIER)]
        preferred += [constant(self.exact, half), constant({"term": {"whole": self.plan.whole}}, half)]
        return {"bool": {"must": [found], "should": preferred}}

    @property
    def _in_title(self) -> Clause:
        return every(word.in_title for word in self.words)

    def some(self, words: Sequence[WordQuery], enough: int, *, named: bool = False) -> Clause:
        """So many of these words, in any form; `named`: each by its place among the demanded words."""
        clauses = [word.slipped for word in words]
        if named:
            places = [self.words.index(word) for word in words]
            pairs = zip(places, clauses, strict=True)
            clauses = [{"bool": {"must": [clause], "_name": str(place)}} for place, clause in pairs]
        return {"bool": {"should": clauses, "minimum_should_match": enough}}


class WordQuery:
    """A word's query by tier."""

    def __init__(self, planned: PlannedWord) -> None:
        self.planned = planned
        exact = _exact(planned)
        begun = [*exact, *_begun(planned)]
        self.exact = _any(exact)
        self.begun = _any(begun)
        self.slipped = _any([*begun, *_slips(planned)])
        self._of_begun = begun

    @property
    def suggested(self) -> Clause:
        """With one slip, also in what is only begun."""
        return _any([*self._of_begun, *_slip_begun(self.planned)])

    @property
    def in_title(self) -> Clause:
        """As typed or begun, and in the title."""
        word = self.planned
        stems = [word.stem, *word.joined]
        found: list[Clause] = [{"terms": {field: stems}} for field in ("title_stems", "joined")]
        if word.begun:
            found.append({"prefix": {"title": word.word}})
        return {"bool": {"should": found}}


def every(queries: Iterable[Clause]) -> Clause:
    """Products that every query finds."""
    clauses = list(queries)
    return clauses[0] if len(clauses) == 1 else {"bool": {"must": clauses}}


def constant(query: Clause, score: float) -> Clause:
    """What the query finds, each with this score."""
    return {"constant_score": {"filter": query, "boost": score}}


def popularity(weight: float) -> Clause:
    """Every product, with so much for each level of its popularity."""
    factor = {"field": "popularity", "factor": weight, "missing": 0}
    return {"function_score": {"functions": [{"field_value_factor": factor}], "boost_mode": "replace"}}


def _any(queries: Sequence[Clause]) -> Clause:
    return {"dis_max": {"queries": list(queries), "tie_breaker": weights.TIE}}


def _exact(word: PlannedWord) -> list[Clause]:
    found = [_token("title", word.exact, weights.WRITTEN), *_stems(word.stem)]
    found.append(_token("joined", word.stem, weights.JOINED))
    for joined in word.joined:
        found += [*_stems(joined), _token("joined", joined, weights.JOINED)]
    found += [_token("codes", code, weights.CODE) for code in word.codes]
    for tokens in word.instead:
        phrase = every(_any(_stems(token)) for token in tokens)
        found.append({"bool": {"must": [phrase], "boost": weights.INSTEAD}})
    return found


def _begun(word: PlannedWord) -> list[Clause]:
    found = [_token("code_parts", code, weights.CODE_PART) for code in word.codes]
    if word.begun:
        found += [
            {"prefix": {field: {"value": word.word, "boost": weight}}}
            for field, weight in weights.BEGUN.items()
        ]
    return found


def _slips(word: PlannedWord, most: int = 2) -> list[Clause]:
    if not word.slips:
        return []
    return [
        {
            "fuzzy": {
                field: {
                    "value": word.word,
                    "fuzziness": min(word.slips, most),
                    "rewrite": "constant_score",
                    "boost": weight,
                }
            }
        }
        for field, weight in weights.SLIP.items()
    ]


def _slip_begun(word: PlannedWord) -> list[Clause]:
    if not word.slips:
        return []
    if not word.begun:
        return _slips(word, 1)
    pattern = {"value": beginning_with_slip(word.word)}
    return [{"regexp": {field: {**pattern, "boost": weight}}} for field, weight in weights.SLIP.items()]


def beginning_with_slip(word: str) -> str:
    """A regular expression of words whose beginning is this word with a letter left out, put in, replaced or
    swapped with the next. The word has letters alone; of a long one, its beginning is enough."""
    word = word[:_PATTERN_LETTERS_MAX]
    places = range(len(word))
    ways = {word[:place] + word[place + 1 :] for place in places}
    ways |= {f"{word[:place]}.{word[place:]}" for place in places}
    ways |= {f"{word[:place]}.{word[place + 1 :]}" for place in places}
    ways |= {word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in places[:-1]}
    return f"({'|'.join(sorted(ways))}).*"


def _stems(stem: str) -> list[Clause]:
    return [_token(field, stem, weight) for field, weight in weights.STEMS.items()]


def _token(field: str, token: str, weight: float) -> Clause:
    if not token:
        return NONE
    return {"term": {field: {"value": token, "boost": weight * _BM25}}}
