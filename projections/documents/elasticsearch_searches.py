"""What every search of Elasticsearch has: a count, and the position it was made at.

The document with the checkpoint is found by every search, for its position, which so is of the same refresh
as the products; it is no hit and in no facet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from projections.documents.elasticsearch_clauses import Query
from projections.documents.elasticsearch_schema import CHECKPOINT


def with_position(query: Query) -> dict[str, Any]:
    """A search for what `query` finds, scored as it scores, and the checkpoint beside."""
    return {
        "query": {"bool": {"should": [query, {"term": {"kind": CHECKPOINT}}], "minimum_should_match": 1}},
        "post_filter": {"bool": {"must_not": {"term": {"kind": CHECKPOINT}}}},
        "aggs": {"position": {"max": {"field": "position"}}},
        "track_total_hits": True,
    }


def with_count(body: Mapping[str, Any], query: Query) -> dict[str, Any]:
    """The search, and how many products `query` finds, whatever the search is for."""
    counting = {"query": {"global": {}, "aggs": {"found": {"filter": query}}}}
    return {**body, "aggs": body["aggs"] | counting}


def counted(response: Mapping[str, Any]) -> int:
    """What a search with a count counted."""
    return int(response["aggregations"]["query"]["found"]["doc_count"])


def position_of(response: Mapping[str, Any]) -> int | None:
    """Where the index stood that a search with position was made in; None where it has no checkpoint."""
    value = response["aggregations"]["position"]["value"]
    return None if value is None else int(value)


def count_of(response: Mapping[str, Any]) -> int:
    """How many products a search found."""
    return int(response["hits"]["total"]["value"])
