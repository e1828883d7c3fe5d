"""Writes the embedded search index: the sink that the projector drives, and the index's only writer.

Documents and checkpoint become durable, and visible to readers, in one commit. A commit is dear (some 15 ms
of work), so they are spaced.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from projections.documents.keys import Pointer
from projections.documents.search import VIEW
from projections.documents.tantivy_files import EngineFailed, IndexFiles, engine_errors
from projections.documents.tantivy_queries import ProductQueries
from projections.documents.tantivy_reader import committed_position
from projections.documents.tantivy_schema import CHECKPOINT, make_index
from projections.search import MODEL, IndexedProduct, evolve, sku_of
from projections.sink import Comparison, Decoded, SinkMoved, SinkUnavailable
from projections.tantivy_documents import all_stored, checkpoint_document, index_document, stored_product
from projections.tantivy_versions import IndexVersions

_HELD_BACK_SECONDS = 0.2
"""Between commits while tailing: a shopper hardly notices a fifth of a second."""

_HELD_BACK_SECONDS_QUIET = 0.5
"""Between commits that only move the checkpoint, since nothing on sale changed."""

_HELD_BACK_SECONDS_CATCHING_UP = 1.0

_HELD_BACK_SECONDS_UNPUBLISHED = 10.0
"""While nobody reads: enough that a crash does not cost the whole work."""

_CHANGED_MAX = 20_000
"""Products changed and not committed; with more, a commit is due whatever the clock says."""

_REMEMBERED_MAX = 20_000
"""Products kept in memory; any other is read back from the index when an event names it."""

_HEAP_BYTES = 32_000_000

logger = structlog.get_logger(__name__)


class _Opened:
    """An index being written, and what it had at its last commit. One thread merges and writes."""

    def __init__(self, folder: Path) -> None:
        self.index = make_index(folder)
        self.files = IndexFiles(folder)
        self.files.damage()  # What it sees first is what it holds later ones against.
        self.writer = self.index.writer(_HEAP_BYTES, 1)
        self.queries = ProductQueries(self.index.schema)
        self.searcher = self.index.searcher()
        self.position = committed_position(self.searcher, self.queries)
        self.committed_at = time.monotonic()

    def commit(self, changed: dict[str, IndexedProduct], position: int) -> None:
        """Writes the products and the position they stand at, together or not at all."""
        for sku, product in changed.items():
            self.writer.delete_documents_by_term("sku", sku)
            self.writer.add_document(index_document(product))
        self.writer.delete_documents_by_term("kind", CHECKPOINT)
        self.writer.add_document(checkpoint_document(position))
        self.writer.commit()
        self.index.reload()
        self.searcher = self.index.searcher()
        self.position = position
        self.committed_at = time.monotonic()


class TantivySink:
    """One version of the search index. See `projections.sink.Sink` for what each call promises."""

    name = VIEW
    shards = 1

    def __init__(self, index_folder: Path, *, version: int | None = None) -> None:
        """`version` None: the live one, or the next where none is live or another model drew it up."""
        self._index_folder = index_folder
        self._versions = IndexVersions(index_folder)
        self._version = version
        self._opened: _Opened | None = None
        self._forget()

    @property
    def version(self) -> int:
        """Known after `open`."""
        return self._version or 0

    @property
    def position(self) -> int:
        """The last position taken in, committed or not."""
        return self._position

    @property
    def is_published(self) -> bool:
        """Whether the pointer names this version."""
        live = self._versions.live()
        return live is not None and live.version == self.version

    def open(self) -> int:
        """Takes the write lock and reads the checkpoint."""
        self.close()
        try:
            with engine_errors():
                self._version = self._version_to_write()
                self._opened = self._sound() or self._anew()
        except EngineFailed as error:
            raise SinkUnavailable(str(error)) from error
        self._was_published = self.is_published
        self._position = self._opened.position
        return self._position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """Folds in memory; what the clock or the amount makes due is committed by `settle`."""
        with self._failing():
            for recorded, event in batch:
                sku = sku_of(event) if recorded.position > self._position else None
                if sku is not None:
                    self._changed[sku] = evolve(self._product(sku), event, recorded)
        self._position = max(self._position, up_to)
        self._tailing = tailing

    def settle(self, *, may_hold_back: bool) -> None:
        """Commits, unless that may wait for more."""
        opened = self._in_use()
        if self._position == opened.position:
            return
        waited = time.monotonic() - opened.committed_at
        if may_hold_back and len(self._changed) < _CHANGED_MAX and waited < self._held_back_seconds():
            return
        with self._failing():
            opened.commit(self._changed, self._position)
        self._remember()

    def check(self) -> None:
        """The folder may have been deleted or damaged, or the pointer turned elsewhere."""
        try:
            damage = self._in_use().files.damage()
        except OSError as error:
            raise SinkUnavailable(str(error)) from error
        if damage is not None or self.is_published != self._was_published:
            raise SinkMoved(f"the search index, version {self.version}: {damage or 'another is live'}")

    def publish(self) -> None:
        """Turns the pointer here and deletes the other versions."""
        self.settle(may_hold_back=False)
        with self._failing():
            self._versions.publish(Pointer(self.version, self.shards, MODEL))
        self._was_published = True

    def reset(self) -> None:
        """Deletes this version and begins it anew, unpublished."""
        self.drop()
        self.open()

    def beside(self) -> TantivySink:
        """The version after every one there is."""
        sink = TantivySink(self._index_folder, version=max(self._versions.newest(), self.version) + 1)
        sink.open()
        return sink

    def compare(self, other: TantivySink) -> Comparison:
        """Every SKU that either index has heard of, on sale or not."""
        with self._failing(), other._failing():
            ours, theirs = all_stored(self._in_use().searcher), all_stored(other._in_use().searcher)
        keys = ours.keys() | theirs.keys()
        return Comparison(len(keys), sorted(key for key in keys if ours.get(key) != theirs.get(key)))

    def drop(self) -> None:
        """Deletes this version, which no reader finds from now on."""
        if self.is_published:
            self._versions.withdraw()
        self.close()
        self._versions.delete(self.version)

    def close(self) -> None:
        """Gives back the write lock; what was not committed is forgotten."""
        opened, self._opened = self._opened, None
        self._forget()
        if opened is not None:
            with suppress(EngineFailed), engine_errors():  # It may have failed long ago, on a full disk.
                opened.writer.wait_merging_threads()

    def _forget(self) -> None:
        self._position = 0
        self._changed: dict[str, IndexedProduct] = {}
        self._remembered: OrderedDict[str, IndexedProduct] = OrderedDict()
        self._tailing = False
        self._was_published = False

    def _in_use(self) -> _Opened:
        if self._opened is None:
            raise SinkMoved("the search index is closed")
        return self._opened

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What the engine cannot do is told by what lies on the disk: the index moved, or is away."""
        try:
            with engine_errors():
                yield
        except EngineFailed as error:
            self.check()
            raise SinkUnavailable(str(error)) from error

    def _sound(self) -> _Opened | None:
        """The version that lies there; None where none does, or where it is not what was once committed."""
        folder = self._versions.folder(self.version)
        if not folder.exists() and not self.is_published:
            return None
        damage = IndexFiles(folder).damage()
        if damage is None:
            try:
                with engine_errors():
                    return _Opened(folder)
            except EngineFailed as error:
                if error.will_pass:
                    raise
                damage = str(error)
        if self.is_published or self._versions.is_there(self.version):
            logger.error("search index is damaged: drawn up anew", version=self.version, reason=damage)
        return None

    def _anew(self) -> _Opened:
        """An empty index: the next version where readers may have this one open."""
        version = self.version
        if self.is_published:
            self._version = max(self._versions.newest(), version) + 1
            self._versions.withdraw()
        self._versions.delete(version)
        self._versions.make_room()
        return _Opened(self._versions.folder(self.version))

    def _version_to_write(self) -> int:
        live = self._versions.live()
        if self._version is not None and (live is None or live.version != self._version):
            return self._version
        if live is not None and live.model == MODEL:
            return live.version
        return self._versions.newest() + 1

    def _product(self, sku: str) -> IndexedProduct | None:
        product = self._changed.get(sku) or self._remembered.pop(sku, None)
        if product is None:
            opened = self._in_use()
            product = stored_product(opened.searcher, opened.queries, sku)
        return product

    def _remember(self) -> None:
        self._remembered.update(self._changed)
        self._changed = {}
        while len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)

    def _held_back_seconds(self) -> float:
        if not self._was_published:
            return _HELD_BACK_SECONDS_UNPUBLISHED
        if not self._tailing:
            return _HELD_BACK_SECONDS_CATCHING_UP
        return _HELD_BACK_SECONDS if self._changed else _HELD_BACK_SECONDS_QUIET
