"""Pages of a sorted listing: every product once, whatever ties there are.

Tiers of what words find follow each other, each sorted. The engine sorts by one number. Products with the
same number follow each other by SKU, and the page after one begins behind its last product's number and SKU,
so it stays right when others come and go meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import tantivy

from projections.documents.search import After, ProductQuery
from projections.documents.tantivy_queries import ProductQueries, both
from projections.documents.tantivy_schema import PRODUCT, price_field
from projections.documents.tantivy_words import WordQueries

_ORDERS = {
    "price_asc": tantivy.Order.Asc,
    "price_desc": tantivy.Order.Desc,
    "newest": tantivy.Order.Desc,
}

_CURRENCIES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found: its place in the listing, and its document."""

    place: After
    document: bytes

    @staticmethod
    def of(searcher: tantivy.Searcher, address: tantivy.DocAddress, key: int = 0, tier: int = 0) -> Hit:
        """Reads what the index has stored at this address."""
        stored = searcher.doc(address)
        place = After(key, str(stored.get_first("sku")), tier)
        return Hit(place, bytes(stored.get_first("document") or b""))


@dataclass(frozen=True)
class Generation:
    """One commit of one version of the index."""

    name: str
    position: int
    searcher: tantivy.Searcher
    queries: ProductQueries
    words: WordQueries

    def count(self, wanted: tantivy.Query) -> int:
        """How many there are."""
        return int(self.searcher.search(wanted, 1).count)  # type: ignore[attr-defined]

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """Those that products on sale have a price in."""
        return tuple(sorted(self.values(self.queries.term("kind", PRODUCT), "currency", _CURRENCIES_MAX)))

    def values(self, wanted: tantivy.Query, field: str, most: int) -> list[str]:
        """The values of a field in the products found, the most frequent first."""
        found = self.searcher.aggregate(wanted, {field: {"terms": {"field": field, "size": most}}})
        return [str(bucket["key"]) for bucket in found[field]["buckets"]]


def sorted_hits(
    generation: Generation,
    query: ProductQuery,
    tiers: Sequence[tantivy.Query],
    after: After | None,
    limit: int,
) -> list[Hit]:
    """The first `limit` products behind `after`, tier by tier; relevance without words is by SKU."""
    first = 0 if after is None else after.tier
    found: list[Hit] = []
    for tier, wanted in enumerate(tiers):
        if tier >= first and len(found) < limit:
            begin = after if tier == first else None
            found += _Listing(generation, query, wanted, tier).hits(begin, limit - len(found))
    return found


class _Listing:
    """One tier, sorted."""

    def __init__(self, generation: Generation, query: ProductQuery, wanted: tantivy.Query, tier: int) -> None:
        self._queries, self._searcher = generation.queries, generation.searcher
        self._order = _ORDERS.get(query.sort)
        self._field = "listed" if query.sort == "newest" else price_field(query.currency or "")
        self._wanted = wanted
        self._tier = tier

    def hits(self, after: After | None, limit: int) -> list[Hit]:
        if self._order is None:
            return self._by_sku(self._wanted, 0, after.sku if after else None, limit)
        found: list[Hit] = []
        wanted = self._wanted
        if after is not None:
            found = self._by_sku(self._tied(after.key), after.key, after.sku, limit)
            wanted = both(wanted, self._beyond(after.key))
        missing = limit - len(found)
        if missing <= 0:
            return found
        hits = self._searcher.search(
            wanted, missing, count=False, order_by_field=self._field, order=self._order
        ).hits
        groups = [list(tied_hits) for _, tied_hits in groupby(hits, key=lambda hit: int(hit[0]))]
        for tied_hits in groups[:-1]:
            read = [self._hit(int(key), address) for key, address in tied_hits]
            found += sorted(read, key=lambda hit: hit.place.sku)
        for tied_hits in groups[-1:]:
            # The limit may have cut the last group anywhere, and the lowest SKUs of it belong here.
            key = int(tied_hits[0][0])
            found += self._by_sku(self._tied(key), key, None, len(tied_hits))
        return found

    def _tied(self, key: int) -> tantivy.Query:
        return both(self._wanted, self._queries.between(self._field, key, key))

    def _beyond(self, key: int) -> tantivy.Query:
        if self._order == tantivy.Order.Asc:
            return self._queries.between(self._field, key + 1, None)
        return self._queries.between(self._field, 0, key - 1)

    def _by_sku(self, wanted: tantivy.Query, key: int, after_sku: str | None, limit: int) -> list[Hit]:
        if after_sku is None:
            hits = self._lowest_skus(wanted, limit)
        else:
            wanted = both(wanted, self._queries.sku_from(after_sku))
            requested = limit + 1  # the one seen last is found again
            while True:
                found = self._lowest_skus(wanted, requested)
                hits = [hit for hit in found if hit[0] > after_sku][:limit]
                if len(hits) == limit or len(found) < requested:
                    break
                requested *= 4  # SKUs alike in their first 16 bytes, some of them seen before
        return [self._hit(key, address) for _, address in hits]

    def _lowest_skus(self, wanted: tantivy.Query, limit: int) -> list[tuple[str, tantivy.DocAddress]]:
        return self._searcher.search(
            wanted, limit, count=False, order_by_field="sku", order=tantivy.Order.Asc
        ).hits

    def _hit(self, key: int, address: tantivy.DocAddress) -> Hit:
        return Hit.of(self._searcher, address, key, self._tier)
