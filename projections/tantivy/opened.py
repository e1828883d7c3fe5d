"""One version of the embedded search index, opened for writing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tantivy

from aggregates.currencies import MINOR_DIGITS
from event_store.records import Checkpoint
from projections.documents.tantivy_files import IndexFiles
from projections.documents.tantivy_queries import ProductQueries
from projections.documents.tantivy_schema import CHECKPOINT, lexicon_of, make_index
from projections.documents.words.lexicon import Lexicon
from projections.documents.words.normalizer import Normalizer
from projections.search.build import made_of
from projections.tantivy.documents import checkpoint_document, index_document, stored_checkpoint
from projections.views.search import IndexedProduct

_HEAP_BYTES = 32_000_000


class OpenedIndex:
    """An index being written, and what it had at its last commit. One thread merges and writes."""

    def __init__(self, folder: Path, lexicon: Lexicon) -> None:
        self.index = make_index(folder, lexicon, MINOR_DIGITS)
        self.normalizer = Normalizer(lexicon_of(folder))
        self.files = IndexFiles(folder)
        self.files.damage()  # The first call records the files that later calls compare with.
        self._last_commit = self.files.commit
        self.writer = self.index.writer(_HEAP_BYTES, 1)
        self.queries = ProductQueries(self.index.schema)
        self.searcher = self.index.searcher()
        self.checkpoint = stored_checkpoint(self.searcher, self.queries)

    def damage(self) -> str | None:
        """What is wrong with what lies there, or None. Raises OSError where that cannot be found out now."""
        damage = self.files.damage()
        if damage is None and self.files.commit != self._last_commit:
            damage = "it is not as the last commit left it"  # An older one, restored.
        return damage

    def commit(self, changed: Mapping[str, IndexedProduct], checkpoint: Checkpoint) -> None:
        """Writes the products and how far they stand, together or not at all. Raises FoldFailed."""

        def document(product: IndexedProduct) -> tantivy.Document:
            return index_document(product, self.normalizer)

        for sku, product in changed.items():
            self.writer.delete_documents_by_term("sku", sku)
            self.writer.add_document(made_of(product, document))
        self.writer.delete_documents_by_term("kind", CHECKPOINT)
        self.writer.add_document(checkpoint_document(checkpoint))
        self._last_commit = self.writer.commit()
        self.index.reload()
        self.searcher = self.index.searcher()
