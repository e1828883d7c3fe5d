"""What the words of a query find in Elasticsearch: which tiers have products, and which words fall away."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from projections.documents.elasticsearch_searches import count_of, with_position
from projections.documents.elasticsearch_word_queries import NONE, Clause, WordQueries, constant
from projections.documents.search import Described
from projections.documents.words.highlights import probably_meant
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import QueryPlan, words_enough
from projections.documents.words.weights import SLIPS_BELOW

_described = msgspec.json.Decoder(Described)


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What the words of a query find in one refresh of the index."""

    ranked: Clause
    """Every tier, in order."""
    found: Clause
    """The same products, unordered."""
    above: tuple[Clause, ...] = ()
    """The tiers above the last, each of which has what those before it have."""
    relaxed: tuple[str, ...] = ()
    """The words that fell away, as typed."""
    did_you_mean: str | None = None
    plan: QueryPlan | None = None
    has_slips_only: bool = False


NOTHING = FoundWords(NONE, NONE)


class RunSearches(Protocol):
    """Searches in the index."""

    async def __call__(self, *bodies: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A response for each."""


async def find_words(run: RunSearches, normalizer: Normalizer, typed: str) -> FoundWords:
    """What is found for this text. Words that nothing has fall away; then one, then up to 40 %."""
    plan = await asyncio.to_thread(normalizer.plan, typed)
    if not plan.words:
        return NOTHING
    queries = WordQueries(plan)
    (counts,) = await run(_counting(queries.begun, {"exact": queries.exact}))
    if begun := count_of(counts):
        with_slips = begun < SLIPS_BELOW and queries.has_slips
        has_exact = bool(counts["aggregations"]["exact"]["doc_count"])
        found = queries.slipped if with_slips else queries.begun
        above = (queries.exact,) * has_exact + (queries.begun,) * with_slips
        return FoundWords(queries.ranked(found, above), found, above, plan=plan)
    ranked = queries.ranked(queries.slipped)
    nearest, each = await run(_top(ranked), _most_words(queries))
    if count_of(nearest):
        described = _described.decode(_document(nearest))
        meant = probably_meant(plan, normalizer, described.names)
        return FoundWords(ranked, queries.slipped, did_you_mean=meant, plan=plan, has_slips_only=True)
    return await _relaxed(run, queries, each)


async def _relaxed(run: RunSearches, queries: WordQueries, each: Mapping[str, Any]) -> FoundWords:
    found = each["aggregations"]
    known = [word for place, word in enumerate(queries.words) if found[f"word {place}"]["doc_count"]]
    hits = each["hits"]["hits"]
    most = round(hits[0]["_score"]) if hits else 0
    steps = (len(known), len(known) - 1, words_enough(len(known)))
    enough = next((step for step in steps if 1 <= step <= most), None)
    if enough is None:
        return NOTHING
    present = {queries.words.index(word) for word in known}
    if enough < len(known):
        (top,) = await run(_top(queries.some(known, enough, named=True)))
        present = {int(name) for hit in top["hits"]["hits"] for name in hit["matched_queries"]}
    some = queries.some(known, enough)
    words = [word.planned.typed for place, word in enumerate(queries.words) if place not in present]
    return FoundWords(queries.ranked(some), some, relaxed=tuple(words), plan=queries.plan)


def _counting(query: Clause, others: Mapping[str, Clause]) -> dict[str, Any]:
    """Counts what `query` finds, and of it what the others find."""
    body = with_position({"bool": {"filter": [query]}})
    body["aggs"] |= {name: {"filter": other} for name, other in others.items()}
    return body | {"size": 0}


def _top(query: Clause) -> dict[str, Any]:
    """Counts, and the first hit."""
    return with_position(query) | {"size": 1, "_source": ["document"]}


def _most_words(queries: WordQueries) -> dict[str, Any]:
    """Counts each word in any form; the score of the first hit is the number of words it has."""
    clauses = [word.slipped for word in queries.words]
    body = with_position({"bool": {"should": [constant(clause, 1.0) for clause in clauses]}})
    body["aggs"] |= {f"word {place}": {"filter": clause} for place, clause in enumerate(clauses)}
    return body | {"size": 1, "_source": False}


def _document(response: Mapping[str, Any]) -> bytes:
    return b64decode(response["hits"]["hits"][0]["_source"]["document"])
