"""A product as an index document, and back: the index keeps what its fold needs to go on."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from event_store.records import Checkpoint
from projections.documents.elasticsearch_schema import CHECKPOINT, HIDDEN, PRODUCT
from projections.documents.search import category_levels
from projections.views.search import IndexedProduct

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(IndexedProduct)


def index_document(product: IndexedProduct) -> dict[str, Any]:
    """Every SKU has one; only what is on sale has the fields that shoppers' queries look at."""
    page = product.page
    document: dict[str, Any] = {"sku": page.sku, "state": _base64(_encoder.encode(product))}
    if not product.is_on_sale or page.price is None:
        return document | {"kind": HIDDEN}
    return document | {
        "kind": PRODUCT,
        "document": _base64(_encoder.encode(page)),
        "code": page.sku.lower(),
        "title": page.title.lower(),
        "description": page.description.lower(),
        "category_words": page.category.lower(),
        "category": category_levels(page.category),
        "attribute": [f"{name}\x1f{value}" for name, value in page.attributes.items()],
        "attribute_words": [value.lower() for value in page.attributes.values()],
        "currency": list(dict.fromkeys((page.price.currency, *(one.currency for one in page.prices)))),
        "price": page.price.amount,
        "listed": product.listed,
        "in_stock": page.available > 0,
    }


def checkpoint_document(checkpoint: Checkpoint) -> dict[str, Any]:
    """How far the fold is."""
    return {"kind": CHECKPOINT, "position": checkpoint.position, "event": checkpoint.event}


def stored_checkpoint(source: Mapping[str, Any]) -> Checkpoint:
    """How far the last commit's fold is."""
    return Checkpoint(source["position"], source["event"])


def stored_product(source: Mapping[str, Any]) -> IndexedProduct:
    """What the last commit has of a SKU."""
    return _decoder.decode(stored_state(source))


def stored_state(source: Mapping[str, Any]) -> bytes:
    """The same, as bytes."""
    return b64decode(source["state"])


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
