"""What the words of a query find in Elasticsearch: which tiers have products, and which words fall away.

Mostly enough products have the words as typed or begun: a search begins with that guess, and its response
counts them. Only where the guess was wrong is more asked for.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from projections.documents.elasticsearch_clauses import NONE, Query, constant, preferring, query_of
from projections.documents.elasticsearch_searches import count_of, with_position
from projections.documents.search import Described
from projections.documents.words.clauses import Clause, PlanClauses, some
from projections.documents.words.highlights import probably_meant
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import QueryPlan, words_enough
from projections.documents.words.weights import SLIPS_BELOW

_described = msgspec.json.Decoder(Described)


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What the words of a query find in one refresh of the index."""

    ranked: Query
    """Every tier, in order."""
    found: Query
    """The same products, unordered."""
    above: tuple[Query, ...] = ()
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


def clauses_of(plan: QueryPlan) -> PlanClauses:
    """The clauses of a plan, also those that find nothing: asking first which do costs more than they."""
    return PlanClauses(plan, lambda _field, _token: True)


def as_typed_or_begun(clauses: PlanClauses) -> FoundWords | None:
    """What is found where no slips are looked for; None: nothing."""
    return _tiers(clauses, (clauses.exact, clauses.begun))


def is_enough(clauses: PlanClauses, count: int) -> bool:
    """Whether no slips are looked for, where so many products have the words as typed or begun."""
    return count >= SLIPS_BELOW or (count > 0 and not clauses.has_slips)


async def with_slips(
    run: RunSearches, normalizer: Normalizer, clauses: PlanClauses, begun_count: int
) -> FoundWords:
    """What is found otherwise. Words that nothing has fall away; then one, then up to 40 %."""
    if begun_count:
        return _tiers(clauses, (clauses.exact, clauses.begun, clauses.slipped)) or NOTHING
    each = [NONE if word.slipped is None else query_of(word.slipped) for word in clauses.words]
    found = _tiers(clauses, (clauses.slipped,))
    nearest, counts = await run(_top(found.ranked if found else NONE), _most_words(each))
    if found is not None and count_of(nearest):
        described = _described.decode(b64decode(nearest["hits"]["hits"][0]["_source"]["document"]))
        return FoundWords(
            found.ranked,
            found.found,
            did_you_mean=probably_meant(clauses.plan, normalizer, described.names),
            plan=clauses.plan,
            has_slips_only=True,
        )
    return await _relaxed(run, clauses, each, counts)


def _tiers(clauses: PlanClauses, tiers: Sequence[Clause | None]) -> FoundWords | None:
    """The last tier has all that is found."""
    *above, last = tiers
    if last is None:
        return None
    known = [tier for tier in above if tier is not None and tier != last]
    found = query_of(last)
    ranked = preferring(found, clauses.preferred(known))
    return FoundWords(ranked, found, tuple(map(query_of, known)), plan=clauses.plan)


async def _relaxed(
    run: RunSearches, clauses: PlanClauses, each: Sequence[Query], counts: Mapping[str, Any]
) -> FoundWords:
    aggregations = counts["aggregations"]
    known = [place for place, _ in enumerate(each) if aggregations[f"word {place}"]["doc_count"]]
    hits = counts["hits"]["hits"]
    most = round(hits[0]["_score"]) if hits else 0
    steps = (len(known), len(known) - 1, words_enough(len(known)))
    enough = next((step for step in steps if 1 <= step <= most), 0)
    clause = some((clauses.words[place].slipped for place in known), enough)
    if clause is None:
        return NOTHING
    found = query_of(clause)
    present = set(known)
    if enough < len(known):
        named = [{"bool": {"must": [each[place]], "_name": str(place)}} for place in known]
        (top,) = await run(_top({"bool": {"should": named, "minimum_should_match": enough}}))
        present = {int(name) for hit in top["hits"]["hits"] for name in hit["matched_queries"]}
    fallen = [word.planned.typed for place, word in enumerate(clauses.words) if place not in present]
    ranked = preferring(found, clauses.preferred())
    return FoundWords(ranked, found, relaxed=tuple(fallen), plan=clauses.plan)


def _top(query: Query) -> dict[str, Any]:
    """Counts, and the first hit."""
    return with_position(query) | {"size": 1, "_source": ["document"]}


def _most_words(each: Sequence[Query]) -> dict[str, Any]:
    """Counts each word in any form; the score of the first hit is the number of words it has."""
    body = with_position({"bool": {"should": [constant(query, 1.0) for query in each]}})
    body["aggs"] |= {f"word {place}": {"filter": query} for place, query in enumerate(each)}
    return body | {"size": 1, "_source": False}
