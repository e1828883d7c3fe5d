"""What a shopper wants, as one search of Elasticsearch. Nothing typed is ever parsed as a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from projections.documents.elasticsearch_clauses import NONE, Query, constant
from projections.documents.elasticsearch_schema import LONG_MAX, PRODUCT, price_field
from projections.documents.elasticsearch_searches import with_position
from projections.documents.elasticsearch_words import FoundWords
from projections.documents.facets import FACETS, Counted, counted, currency_counted, facets_of, terms_of
from projections.documents.search import (
    ATTRIBUTE_SEPARATOR,
    After,
    FacetValue,
    ProductQuery,
    Sort,
    category_levels,
)

_FACET_FIELDS = (*FACETS, "attribute")

FilterName = str | tuple[str, str]
"""A filter's field; of an attribute, its name and value."""

_ORDERS: dict[Sort, str] = {"price_asc": "asc", "price_desc": "desc", "newest": "desc"}


_CURRENCIES_MAX = 1_000


def currencies_body() -> dict[str, Any]:
    """The search for `currencies_of`."""
    body = with_position({"bool": {"filter": [{"term": {"kind": PRODUCT}}]}})
    body["aggs"] |= {"currency": {"terms": {"field": "currency", "size": _CURRENCIES_MAX}}}
    return body | {"size": 0}


def currencies_of(response: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that products on sale have a price in."""
    return tuple(sorted(str(bucket["key"]) for bucket in response["aggregations"]["currency"]["buckets"]))


class ProductSearch:
    """One query as a search, and how its response is read."""

    def __init__(self, query: ProductQuery, currencies: Sequence[str] = ()) -> None:
        """A query that compares prices names the currency. `currencies`: where it bounds the price, those
        that products on sale have one in."""
        self._query = query
        self._filters = _facet_filters(query)
        self._currencies = currencies
        self._bounds = [_bounded(query, query.currency or "")] if query.bounds_price else []

    def sorted(self, words: FoundWords | None, after: After | None, limit: int) -> dict[str, Any]:
        """The first `limit` products in the query's order behind `after`, each tier of the words by itself;
        relevance without words is by SKU."""
        keys: list[Any] = ["_score"] if words is not None else []
        values: list[Any] = []
        found = None
        if words is not None:
            found = {
                "bool": {"filter": [words.found], "should": [constant(tier, 1.0) for tier in words.above]}
            }
            values = [] if after is None else [len(words.above) - after.tier]
        if self._query.sort in _ORDERS:
            by_price = self._query.sort != "newest"
            field = price_field(self._query.currency or "") if by_price else "listed"
            keys.append({field: {"order": _ORDERS[self._query.sort], "unmapped_type": "long"}})
            values += [] if after is None else [after.key]
        body = self._body(found, limit) | {"sort": [*keys, {"sku": "asc"}]}
        return body if after is None else body | {"search_after": [*values, after.sku]}

    def place_of(self, words: FoundWords | None, hit: Mapping[str, Any]) -> After:
        """The place behind a hit of `sorted`."""
        *keys, sku = hit["sort"]
        tier = len(words.above) - round(keys.pop(0)) if words is not None else 0
        return After(int(keys[0]) if keys else 0, str(sku), tier)

    def ranked(self, words: FoundWords, offset: int, limit: int) -> dict[str, Any]:
        """By relevance, `limit` hits from `offset` on."""
        return self._body(words.ranked, limit) | {"from": offset, "sort": ["_score", {"sku": "asc"}]}

    def facets(self, response: Mapping[str, Any]) -> tuple[dict[str, list[FacetValue]], list[str]]:
        """See `facets_of`."""
        found = response["aggregations"]
        counts = {field: counted(found["together"][field]) for field in self._together}
        filtered: dict[tuple[str, str], Counted] = {}
        for number, name in enumerate(self._filters):
            field, without = _field_of(name), found[f"without {number}"]
            if isinstance(name, tuple):
                filtered[name] = counted(without[field])
            elif name == "currency" and self._bounds and self._currencies:
                own = without[field]["buckets"]
                counts[name] = currency_counted({one: own[one]["doc_count"] for one in own})
            else:
                counts[name] = counted(without[field])
        return facets_of(counts, filtered)

    @property
    def _together(self) -> list[str]:
        """The fields whose values are counted with all filters."""
        return [field for field in _FACET_FIELDS if field not in self._filters]

    def _body(self, words: Query | None, limit: int) -> dict[str, Any]:
        found: dict[str, Any] = {"filter": [{"term": {"kind": PRODUCT}}]}
        if words is not None:
            found["must"] = [words]
        filters = [*self._filters.values(), *self._bounds]
        body = with_position({"bool": found})
        body["post_filter"] = {"bool": {"filter": [{"term": {"kind": PRODUCT}}, *filters]}}
        body["aggs"] |= {"together": _counting(filters, self._together)}
        for number, name in enumerate(self._filters):
            others = [clause for other, clause in self._filters.items() if other != name]
            if name == "currency" and self._bounds and self._currencies:
                own = {"filters": {"filters": {one: self._priced_in(one) for one in self._currencies}}}
                counting = {"filter": {"bool": {"filter": others}}, "aggs": {"currency": own}}
            else:
                counting = _counting([*others, *self._bounds], [_field_of(name)])
            body["aggs"][f"without {number}"] = counting
        return body | {"size": limit, "_source": ["document"]}

    def _priced_in(self, currency: str) -> Query:
        """A price in the currency, within the bounds."""
        return {"bool": {"filter": [{"term": {"currency": currency}}, _bounded(self._query, currency)]}}


def _facet_filters(query: ProductQuery) -> dict[FilterName, Query]:
    """The filters that a facet shows the alternatives to."""
    found: dict[FilterName, Query] = {}
    if query.category is not None:
        levels = category_levels(query.category)
        found["category"] = {"term": {"category": levels[-1]}} if levels else NONE
    if query.currency is not None:
        found["currency"] = {"term": {"currency": query.currency}}
    if query.in_stock is not None:
        found["in_stock"] = {"term": {"in_stock": query.in_stock}}
    for attribute in query.attributes:
        found[attribute] = {"term": {"attribute": ATTRIBUTE_SEPARATOR.join(attribute)}}
    return found


def _counting(filters: Sequence[Query], fields: Iterable[str]) -> dict[str, Any]:
    return {"filter": {"bool": {"filter": list(filters)}}, "aggs": {name: terms_of(name) for name in fields}}


def _field_of(name: FilterName) -> str:
    return name if isinstance(name, str) else "attribute"


def _bounded(query: ProductQuery, currency: str) -> Query:
    bounds = {"gte": query.price_min, "lte": query.price_max}
    shown = {name: min(max(bound, -1), LONG_MAX) for name, bound in bounds.items() if bound is not None}
    return {"range": {price_field(currency): shown}}
