"""Pages of a sorted listing: every product once, whatever ties there are.

The engine sorts by one number. Products with the same number follow each other by SKU, and the page after
one begins behind its last product's number and SKU, so it stays right when others come and go meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import tantivy

from projections.documents.search import After, Sort
from projections.documents.tantivy_queries import ProductQueries, both
from projections.documents.tantivy_words import WordQueries

_KEYS = {
    "price_asc": ("price", tantivy.Order.Asc),
    "price_desc": ("price", tantivy.Order.Desc),
    "newest": ("listed", tantivy.Order.Desc),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found: its sort key, SKU and document."""

    key: int
    sku: str
    document: bytes

    @staticmethod
    def of(searcher: tantivy.Searcher, key: int, address: tantivy.DocAddress) -> Hit:
        """Reads what the index has stored at this address."""
        stored = searcher.doc(address)
        return Hit(key, str(stored.get_first("sku")), bytes(stored.get_first("document") or b""))


@dataclass(frozen=True, slots=True)
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


def sorted_hits(
    generation: Generation, wanted: tantivy.Query, sort: Sort, after: After | None, limit: int
) -> list[Hit]:
    """The first `limit` products in this order behind `after`; relevance without words is by SKU."""
    if sort not in _KEYS:
        return _by_sku(generation, wanted, 0, after.sku if after else None, limit)
    queries, searcher = generation.queries, generation.searcher
    field, order = _KEYS[sort]
    found: list[Hit] = []
    if after is not None:
        tied = both(wanted, queries.term(field, after.key))
        found = _by_sku(generation, tied, after.key, after.sku, limit)
        wanted = both(wanted, _beyond(queries, field, order, after.key))
    missing = limit - len(found)
    if missing <= 0:
        return found
    hits = searcher.search(wanted, missing, count=False, order_by_field=field, order=order).hits
    groups = [list(tied_hits) for _, tied_hits in groupby(hits, key=lambda hit: int(hit[0]))]
    for tied_hits in groups[:-1]:
        read = [Hit.of(searcher, int(key), address) for key, address in tied_hits]
        found += sorted(read, key=lambda hit: hit.sku)
    for tied_hits in groups[-1:]:
        # The limit may have cut the last group anywhere, and the lowest SKUs of it belong here.
        key = int(tied_hits[0][0])
        tied = both(wanted, queries.term(field, key))
        found += _by_sku(generation, tied, key, None, len(tied_hits))
    return found


def _beyond(queries: ProductQueries, field: str, order: tantivy.Order, key: int) -> tantivy.Query:
    if order == tantivy.Order.Asc:
        return queries.between(field, key + 1, None)
    return queries.between(field, 0, key - 1)


def _by_sku(
    generation: Generation, wanted: tantivy.Query, key: int, after_sku: str | None, limit: int
) -> list[Hit]:
    queries, searcher = generation.queries, generation.searcher
    if after_sku is None:
        hits = _lowest_skus(searcher, wanted, limit)
    else:
        wanted = both(wanted, queries.sku_from(after_sku))
        requested = limit + 1  # the one seen last is found again
        while True:
            found = _lowest_skus(searcher, wanted, requested)
            hits = [hit for hit in found if hit[0] > after_sku][:limit]
            if len(hits) == limit or len(found) < requested:
                break
            requested *= 4  # SKUs alike in their first 16 bytes, some of them seen before
    return [Hit.of(searcher, key, address) for _, address in hits]


def _lowest_skus(
    searcher: tantivy.Searcher, wanted: tantivy.Query, limit: int
) -> list[tuple[str, tantivy.DocAddress]]:
    return searcher.search(wanted, limit, count=False, order_by_field="sku", order=tantivy.Order.Asc).hits
