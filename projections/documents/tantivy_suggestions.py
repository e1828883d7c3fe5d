"""Suggestions from the embedded engine, while a shopper types."""

from __future__ import annotations

import msgspec
import tantivy

from projections.documents.search import FACET_VALUES_MAX, Described, Suggestion
from projections.documents.tantivy_pages import Generation
from projections.documents.tantivy_schema import PRODUCT
from projections.documents.words.suggestions import TITLES, Suggesting, Titled

_described = msgspec.json.Decoder(Described).decode


def suggestions(generation: Generation, typed: str, limit: int) -> list[Suggestion]:
    """What may be meant by this text, from one commit of the index."""
    words = generation.words
    plan = words.normalizer.plan(typed)
    if not plan.words:
        return []
    clauses = words.clauses(plan)
    on_sale = generation.queries.term("kind", PRODUCT)
    for with_slips in (False, True):
        found = words.query(clauses.suggested(with_slips=with_slips))
        if found is None:
            continue
        searched = tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Must, tantivy.Query.const_score_query(on_sale, 0.0)),
                (tantivy.Occur.Must, found),
            ]
        )
        hits = generation.searcher.search(searched, max(limit, TITLES), count=False).hits
        if hits:
            titled = [_titled(generation, address) for _, address in hits]
            categories = generation.values(searched, "category", FACET_VALUES_MAX)
            return Suggesting(plan, words.normalizer).choose(titled, categories, limit)
    return []


def _titled(generation: Generation, address: tantivy.DocAddress) -> Titled:
    stored = generation.searcher.doc(address)
    described = _described(bytes(stored.get_first("document") or b""))
    return Titled(str(stored.get_first("sku")), described.title)
