"""What the facets of a page show, from the counts of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from projections.documents.search import ATTRIBUTE_SEPARATOR, FACET_VALUES_MAX, FacetValue

FACETS = ("category", "in_stock", "currency")
"""Beside one for each attribute, `attribute.<name>`."""

BUCKETS_MAX = {"attribute": 2_000}
"""Values that are counted: of all attributes together; of any other facet FACET_VALUES_MAX."""


class Counted(NamedTuple):
    """The values of a field, the most frequent first, and whether there are more."""

    values: list[FacetValue]
    is_cut: bool


def terms_of(field: str) -> dict[str, Any]:
    """The aggregation that counts a field's values: both engines know it."""
    return {"terms": {"field": field, "size": BUCKETS_MAX.get(field, FACET_VALUES_MAX)}}


def counted(aggregation: Mapping[str, Any]) -> Counted:
    """What it found."""
    values = [
        FacetValue(str(bucket.get("key_as_string", bucket["key"])), int(bucket["doc_count"]))
        for bucket in aggregation["buckets"]
    ]
    ordered = sorted(values, key=lambda value: (-value.count, value.value))
    return Counted(ordered, aggregation["sum_other_doc_count"] > 0)


def currency_counted(counts: Mapping[str, int]) -> Counted:
    """The facet of currencies where each was counted by itself: bounds are of the price in it."""
    values = [FacetValue(currency, count) for currency, count in counts.items() if count]
    ordered = sorted(values, key=lambda value: (-value.count, value.value))
    return Counted(ordered[:FACET_VALUES_MAX], len(ordered) > FACET_VALUES_MAX)


def facets_of(
    counts: Mapping[str, Counted], filtered: Mapping[tuple[str, str], Counted]
) -> tuple[dict[str, list[FacetValue]], list[str]]:
    """The facets, and the names of those that have more values than are shown.

    `counts` by field. `filtered`: of each attribute's name and value that is a filter, the counts of field
    `attribute` without that filter.
    """
    facets = {name: counts[name].values for name in FACETS}
    cut = [name for name in facets if counts[name].is_cut]
    attributes = _by_attribute(counts["attribute"].values)
    for (name, _), own in filtered.items():
        attributes[name] = _by_attribute(own.values).get(name, [])
    for name, values in attributes.items():
        facet = f"attribute.{name}"
        facets[facet] = values[:FACET_VALUES_MAX]
        if counts["attribute"].is_cut or len(values) > FACET_VALUES_MAX:
            cut.append(facet)
    return facets, cut


def _by_attribute(values: Iterable[FacetValue]) -> dict[str, list[FacetValue]]:
    found: dict[str, list[FacetValue]] = {}
    for one in values:
        name, _, value = one.value.partition(ATTRIBUTE_SEPARATOR)
        found.setdefault(name, []).append(FacetValue(value, one.count))
    return found
