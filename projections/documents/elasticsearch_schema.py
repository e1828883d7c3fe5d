"""The fields of the search index in Elasticsearch: shared by writer and reader.

One document per SKU that has ever been heard of: `kind` is `product` where it is listed and `hidden` where
only its stock is known or it was delisted. One more document, of kind `checkpoint`, has the position of the
last event folded. All text is cut into tokens before it comes here: the server splits them at spaces, and its
own analysis has no part in what is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from projections.documents.words.lexicon import Lexicon
from projections.documents.words.normalizer import FIELDS

PRODUCT = "product"
HIDDEN = "hidden"
CHECKPOINT = "checkpoint"

CHECKPOINT_ID = "checkpoint"

LONG_MAX = 2**63 - 1

_KEYWORD = {"type": "keyword"}
_TEXT = {"type": "keyword", "ignore_above": 8_000}  # The engine takes no term of more than 32,766 bytes.
_NUMBER = {"type": "long"}
_BYTES = {"type": "binary"}  # base64; stored with the document alone
_TOKENS = {"type": "text", "analyzer": "whitespace", "index_options": "freqs"}

_STORED = ["kind", "sku", "state", "document", "position", "event"]
"""What can be read back; every other field is only looked up."""

_PROPERTIES: dict[str, Any] = {
    "kind": _KEYWORD,
    "sku": _KEYWORD,
    "state": _BYTES,
    "document": _BYTES,
    "position": _NUMBER,
    "event": {"type": "keyword", "index": False, "doc_values": False},
    "whole": _KEYWORD,
    "category": _TEXT,
    "attribute": _TEXT,
    "currency": _KEYWORD,
    "listed": _NUMBER,
    "popularity": {"type": "byte"},
    "in_stock": {"type": "boolean"},
}

SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "refresh_interval": "-1",  # Commits refresh: what is visible is then what its position says.
}


def price_field(currency: str) -> str:
    """What everybody pays in this currency."""
    return f"price.{currency}"


def mappings(lexicon: Lexicon, currencies: Iterable[str]) -> dict[str, Any]:
    """Every field, prices in these currencies, and the lexicon that the tokens of this version are cut by."""
    prices = dict.fromkeys(currencies, _NUMBER)
    return {
        "dynamic": "strict",
        "_meta": {"lexicon": msgspec.to_builtins(lexicon)},
        "_source": {"includes": _STORED},
        "properties": {
            **_PROPERTIES,
            **dict.fromkeys(FIELDS, _TOKENS),
            "price": {"type": "object", "properties": prices},
        },
    }


def lexicon_in(mapping: Mapping[str, Any]) -> Lexicon:
    """The lexicon of a version's mapping. Raises MsgspecError where there is none, or a damaged one."""
    return msgspec.convert(mapping.get("_meta", {}).get("lexicon"), Lexicon)


def document_id(sku: str) -> str:
    """A product may bear the SKU `checkpoint`."""
    return f"sku {sku}"
