"""The fields of the search index in Elasticsearch: shared by writer and reader.

One document per SKU that has ever been heard of: `kind` is `product` where it is listed and `hidden` where
only its stock is known or it was delisted. One more document, of kind `checkpoint`, has the position of the
last event folded. All text is cut into words before it comes here: the server's own analysis has no part in
what is found.
"""

from __future__ import annotations

from typing import Any

PRODUCT = "product"
HIDDEN = "hidden"
CHECKPOINT = "checkpoint"

CHECKPOINT_ID = "checkpoint"

_KEYWORD = {"type": "keyword"}
_NUMBER = {"type": "long"}
_BYTES = {"type": "binary"}  # base64; stored with the document alone
_WORDS = {"type": "text", "analyzer": "whitespace", "index_options": "freqs"}

_WORD_FIELDS = ("title", "category_words", "attribute_words", "description")

MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "kind": _KEYWORD,
        "sku": _KEYWORD,
        "state": _BYTES,
        "document": _BYTES,
        "position": _NUMBER,
        "event": {"type": "keyword", "index": False, "doc_values": False},
        "code": _KEYWORD,
        "category": _KEYWORD,
        "attribute": _KEYWORD,
        "currency": _KEYWORD,
        "price": _NUMBER,
        "listed": _NUMBER,
        "in_stock": {"type": "boolean"},
    }
    | dict.fromkeys(_WORD_FIELDS, _WORDS),
}

SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "refresh_interval": "-1",  # Commits refresh: what is visible is then what its position says.
}


def document_id(sku: str) -> str:
    """A product may bear the SKU `checkpoint`."""
    return f"sku {sku}"
