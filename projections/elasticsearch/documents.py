"""A product as an index document, and back: the index keeps what its fold needs to go on."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from event_store.records import Checkpoint
from projections.documents.elasticsearch_schema import CHECKPOINT, HIDDEN, LONG_MAX, PRODUCT
from projections.documents.search import ATTRIBUTE_SEPARATOR, category_levels
from projections.documents.words.normalizer import Normalizer
from projections.views.public_prices import amounts_by_currency
from projections.views.search import IndexedProduct

_encoder = msgspec.json.Encoder()


def index_document(product: IndexedProduct, normalizer: Normalizer) -> dict[str, Any]:
    """Every SKU has one; only what is on sale has the fields that shoppers' queries search."""
    page = product.page
    document: dict[str, Any] = {"sku": page.sku, "state": _base64(_encoder.encode(product))}
    if not product.is_on_sale or page.price is None:
        return document | {"kind": HIDDEN}
    prices = amounts_by_currency(page)
    tokens = normalizer.fields(page.sku, page.title, page.description, page.category, page.attributes)
    return {
        **document,
        **tokens,
        "kind": PRODUCT,
        "document": _base64(_encoder.encode(page)),
        "category": category_levels(page.category),
        "attribute": [f"{name}{ATTRIBUTE_SEPARATOR}{value}" for name, value in page.attributes.items()],
        "currency": list(prices),
        "price": {currency: min(max(amount, 0), LONG_MAX) for currency, amount in prices.items()},
        "listed": product.listed,
        "popularity": product.popularity,
        "in_stock": page.available > 0,
    }


def checkpoint_document(checkpoint: Checkpoint) -> dict[str, Any]:
    """How far the fold is."""
    return {"kind": CHECKPOINT, "position": checkpoint.position, "event": checkpoint.event}


def stored_checkpoint(source: Mapping[str, Any]) -> Checkpoint:
    """How far the last commit's fold is."""
    return Checkpoint(source["position"], source["event"])


def stored_state(source: Mapping[str, Any]) -> bytes:
    """What the last commit has of a SKU: an IndexedProduct's JSON."""
    return b64decode(source["state"])


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
