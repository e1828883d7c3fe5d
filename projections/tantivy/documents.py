"""A product as an index document, and back: the index keeps what its fold needs to go on."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import tantivy

from event_store.records import START, Checkpoint
from projections.documents.search import ATTRIBUTE_SEPARATOR, category_levels, sku_numbers
from projections.documents.tantivy_queries import ProductQueries
from projections.documents.tantivy_schema import CHECKPOINT, HIDDEN, PRODUCT, price_field
from projections.documents.words.normalizer import Normalizer
from projections.views.public_prices import amounts_by_currency
from projections.views.search import IndexedProduct

_U64_MAX = 2**64 - 1

_encoder = msgspec.json.Encoder()


def index_document(product: IndexedProduct, normalizer: Normalizer) -> tantivy.Document:
    """Every SKU has one; only what is on sale has the fields that shoppers' queries look at."""
    page = product.page
    document = tantivy.Document()
    document.add_text("sku", page.sku)
    document.add_bytes("state", _encoder.encode(product))
    if not product.is_on_sale or page.price is None:
        document.add_text("kind", HIDDEN)
        return document
    document.add_text("kind", PRODUCT)
    document.add_bytes("document", _encoder.encode(page))
    fields = normalizer.fields(page.sku, page.title, page.description, page.category, page.attributes)
    for name, tokens in fields.items():
        document.add_text(name, tokens)
    for level in category_levels(page.category):
        document.add_text("category", level)
    for name, value in page.attributes.items():
        document.add_text("attribute", f"{name}{ATTRIBUTE_SEPARATOR}{value}")
    for currency, amount in amounts_by_currency(page).items():
        document.add_text("currency", currency)
        document.add_unsigned(price_field(currency), min(max(amount, 0), _U64_MAX))
    document.add_unsigned("listed", product.listed)
    document.add_unsigned("popularity", product.popularity)
    document.add_boolean("in_stock", page.available > 0)
    first, second = sku_numbers(page.sku)
    document.add_unsigned("sku_number_1", first)
    document.add_unsigned("sku_number_2", second)
    return document


def checkpoint_document(checkpoint: Checkpoint) -> tantivy.Document:
    """How far the fold is."""
    document = tantivy.Document()
    document.add_text("kind", CHECKPOINT)
    document.add_unsigned("position", checkpoint.position)
    document.add_bytes("state", checkpoint.event.encode())
    return document


def stored_checkpoint(searcher: tantivy.Searcher, queries: ProductQueries) -> Checkpoint:
    """How far the last commit's fold is; where no event is noted, it is not known."""
    hits = searcher.search(queries.term("kind", CHECKPOINT), 1, count=False).hits
    if not hits:
        return START
    position = searcher.doc(hits[0][1]).get_first("position")
    return Checkpoint(int(position or 0), _state(searcher, hits[0][1]).decode())


def stored_state(searcher: tantivy.Searcher, queries: ProductQueries, sku: str) -> bytes | None:
    """What the last commit has of a SKU: an IndexedProduct's JSON."""
    hits = searcher.search(queries.term("sku", sku), 1, count=False).hits
    return _state(searcher, hits[0][1]) if hits else None


def all_stored(searcher: tantivy.Searcher) -> Iterator[tuple[str, bytes]]:
    """What the last commit has of every SKU, as bytes."""
    everything = searcher.search(tantivy.Query.all_query(), max(searcher.num_docs, 1), count=False)
    for _, address in everything.hits:
        sku = searcher.doc(address).get_first("sku")
        if sku is not None:
            yield str(sku), _state(searcher, address)


def _state(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> bytes:
    return bytes(searcher.doc(address).get_first("state") or b"")
