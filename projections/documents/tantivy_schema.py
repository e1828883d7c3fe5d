"""The fields of the embedded search index: shared by writer and reader.

One document per SKU that has ever been heard of: `kind` is `product` where it is listed and `hidden` where
only its stock is known or it was delisted. One more document, of kind `checkpoint`, has the position of
the last event folded; it is of the same commit as the products.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import tantivy

from projections.documents.keys import Pointer
from projections.documents.words.lexicon import Lexicon
from projections.documents.words.normalizer import FIELDS

PRODUCT = "product"
HIDDEN = "hidden"
CHECKPOINT = "checkpoint"

POINTER_FILE = "search.json"
"""Which version readers read (JSON of `Pointer`), replaced in one step."""

FOLDER_PREFIX = "search.v"

META_FILE = "meta.json"
"""The engine's own list of what is committed; a commit replaces it."""

LEXICON_FILE = "lexicon.json"
"""The lexicon that the words of this version were cut by, beside the engine's files; written once."""

_TOKENS = "tokens"


def price_field(currency: str) -> str:
    """What everybody pays in this currency; a column that no product has takes no room."""
    return f"price_{currency}"


def version_folder(index_folder: Path, version: int) -> Path:
    """Where a version of the index lies."""
    return index_folder / f"{FOLDER_PREFIX}{version}"


def read_pointer(index_folder: Path) -> Pointer | None:
    """Which version is live; None where there is none yet, or none that could be made out."""
    try:
        return msgspec.json.decode((index_folder / POINTER_FILE).read_bytes(), type=Pointer)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def build_schema(currencies: Iterable[str]) -> tantivy.Schema:
    """Every field; prices may be in these currencies. A changed field is a new version of the index."""
    builder = tantivy.SchemaBuilder()
    for name in ("kind", "whole"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("sku", stored=True, fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("category", "attribute", "currency"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name=_TOKENS, index_option="freq")
    for name in ("listed", "sku_number_1", "sku_number_2"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    builder.add_unsigned_field("popularity", indexed=True)
    for currency in currencies:
        builder.add_unsigned_field(price_field(currency), fast=True)
    builder.add_unsigned_field("position", stored=True)
    builder.add_boolean_field("in_stock", indexed=True, fast=True)
    builder.add_bytes_field("state", stored=True)
    builder.add_bytes_field("document", stored=True)
    return builder.build()


def open_index(folder: Path) -> tantivy.Index:
    """An index that was made before. Raises ValueError where the folder has none."""
    return _prepared(tantivy.Index.open(str(folder)))


def make_index(folder: Path, lexicon: Lexicon, currencies: Iterable[str]) -> tantivy.Index:
    """The index in this folder, made empty where there is none; then its words are cut by this lexicon."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / META_FILE).exists():
        (folder / LEXICON_FILE).write_bytes(msgspec.json.encode(lexicon))
    return _prepared(tantivy.Index(build_schema(currencies), str(folder)))


def lexicon_of(folder: Path) -> Lexicon:
    """The lexicon of the index in this folder. Raises OSError, or MsgspecError where it is damaged."""
    return msgspec.json.decode((folder / LEXICON_FILE).read_bytes(), type=Lexicon)


def _prepared(index: tantivy.Index) -> tantivy.Index:
    # The tokens are ours: the engine only splits at spaces.
    index.register_tokenizer(_TOKENS, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    # Readers look for commits themselves; the engine's own watcher is a thread that polls.
    index.config_reader("manual", 0)
    return index
