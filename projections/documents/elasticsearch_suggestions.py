"""Suggestions from Elasticsearch, while a shopper types."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from projections.documents.elasticsearch_clauses import Query, query_of
from projections.documents.elasticsearch_schema import PRODUCT
from projections.documents.elasticsearch_searches import with_position
from projections.documents.elasticsearch_words import RunSearches, clauses_of
from projections.documents.facets import counted, terms_of
from projections.documents.search import Described, Suggestion
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import QueryPlan
from projections.documents.words.suggestions import TITLES, Suggesting, Titled

_described = msgspec.json.Decoder(Described)


async def find_suggestions(
    run: RunSearches, normalizer: Normalizer, typed: str, limit: int
) -> list[Suggestion]:
    """What may be meant by this text."""
    plan = normalizer.plan(typed)
    if not plan.words:
        return []
    clauses = clauses_of(plan)
    for slips in (False, True):
        clause = clauses.suggested(with_slips=slips)
        if clause is None:
            continue
        (response,) = await run(_body(query_of(clause), max(limit, TITLES)))
        if hits := response["hits"]["hits"]:
            categories = [one.value for one in counted(response["aggregations"]["category"]).values]
            return await asyncio.to_thread(_choose, plan, normalizer, hits, categories, limit)
    return []


def _choose(
    plan: QueryPlan,
    normalizer: Normalizer,
    hits: Sequence[Mapping[str, Any]],
    categories: Sequence[str],
    limit: int,
) -> list[Suggestion]:
    titled = [
        Titled(source["sku"], _described.decode(b64decode(source["document"])).title)
        for source in (hit["_source"] for hit in hits)
    ]
    return Suggesting(plan, normalizer).choose(titled, categories, limit)


def _body(query: Query, size: int) -> dict[str, Any]:
    on_sale = {"term": {"kind": PRODUCT}}
    body = with_position({"bool": {"must": [query], "filter": [on_sale]}})
    body["aggs"] |= {"category": terms_of("category")}
    return body | {"size": size, "_source": ["sku", "document"]}
