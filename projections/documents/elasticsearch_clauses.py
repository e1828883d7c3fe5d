"""Clauses as Elasticsearch's queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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

Query = dict[str, Any]

NONE: Query = {"match_none": {}}

_PATTERN_LETTERS_MAX = 14  # The engine takes patterns of up to 1,000 characters.

_BM25 = 2.2
"""The factor k1 + 1, which this engine leaves out of its scores."""


def query_of(clause: Clause) -> Query:
    """What finds and scores the same."""
    query: Query
    match clause:
        case Token(field, token, weight):
            query = {"term": {field: {"value": token, "boost": weight * _BM25}}} if token else NONE
        case BestOf(clauses):
            query = {"dis_max": {"queries": _queries(clauses), "tie_breaker": weights.TIE}}
        case AllOf(clauses):
            query = {"bool": {"must": _queries(clauses)}}
        case Constant(inner, score):
            query = constant(query_of(inner), score)
        case Beginning(field, letters, weight):
            query = {"prefix": {field: {"value": letters, "boost": weight}}}
        case Near(field, word, slips, weight, begun):
            query = _near(field, word, slips, weight, begun=begun)
        case Weighted(inner, weight):
            query = {"bool": {"must": [query_of(inner)], "boost": weight}}
        case Preferred(found, preferred):
            query = preferring(query_of(found), preferred)
        case SomeOf(clauses, enough):
            query = some(_queries(clauses), enough)
        case Popularity(weight):
            factor = {"field": "popularity", "factor": weight, "missing": 0}
            query = {
                "function_score": {"functions": [{"field_value_factor": factor}], "boost_mode": "replace"}
            }
    return query


def preferring(found: Query, preferred: Iterable[Clause]) -> Query:
    """What a query finds, scored also by these clauses."""
    return {"bool": {"must": [found], "should": _queries(preferred)}}


def some(queries: list[Query], enough: int) -> Query:
    """What so many of the queries find."""
    return {"bool": {"should": queries, "minimum_should_match": enough}}


def constant(query: Query, score: float) -> Query:
    """What the query finds, each with this score."""
    return {"constant_score": {"filter": query, "boost": score}}


def _near(field: str, word: str, slips: int, weight: float, *, begun: bool) -> Query:
    if begun:
        return {"regexp": {field: {"value": beginning_with_slip(word), "boost": weight}}}
    near = {"value": word, "fuzziness": slips, "rewrite": "constant_score", "boost": weight}
    return {"fuzzy": {field: near}}


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


def _queries(clauses: Iterable[Clause]) -> list[Query]:
    return [query_of(clause) for clause in clauses]
