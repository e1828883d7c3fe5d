"""A version of the embedded search index: the projector is its only writer.

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

from event_store.records import START, Checkpoint
from projections.documents.keys import Pointer
from projections.documents.search import VIEW
from projections.documents.tantivy_files import EngineFailed, IndexFiles, engine_errors
from projections.engine.build import Build, Comparison
from projections.engine.follower import Decoded, TargetMoved, TargetUnavailable, checkpoint_of
from projections.engine.versions import Numbers, Versions
from projections.tantivy.documents import (
    all_stored,
    stored_product,
)
from projections.tantivy.opened import OpenedIndex
from projections.tantivy.versions import IndexVersions
from projections.views.search import MODEL, IndexedProduct, evolve, sku_of

_HELD_BACK_SECONDS = 0.2
"""Between commits while tailing: a shopper hardly notices a fifth of a second."""

_HELD_BACK_SECONDS_QUIET = 0.5
"""Between commits that only move the checkpoint, since nothing on sale changed."""

_HELD_BACK_SECONDS_CATCHING_UP = 1.0

_HELD_BACK_SECONDS_UNPUBLISHED = 10.0
"""While nobody reads: enough that a crash does not cost the whole work."""

_CHANGED_MAX = 20_000
"""Products changed and not committed; with more, a commit is due at once."""

_REMEMBERED_MAX = 20_000
"""Products kept in memory; any other is read back from the index when an event names it."""

logger = structlog.get_logger(__name__)


class TantivyBuild(Build):
    """One version of the search index."""

    def __init__(
        self, index_folder: Path, numbers: Numbers, *, beside: tuple[Versions, Pointer] | None = None
    ) -> None:
        """See Build."""
        self._index_folder = index_folder
        self._numbers = numbers
        self._files = IndexVersions(index_folder)
        self._opened: OpenedIndex | None = None
        super().__init__(VIEW, self._files, numbers, model=MODEL, beside=beside)
        self._forget()

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The last commit's."""
        return [self._in_use().checkpoint]

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """Folds in memory; what the clock or the amount makes due is committed by `settle`."""
        with self._failing():
            for recorded, event in batch:
                sku = sku_of(event) if recorded.position > self.position else None
                if sku is not None:
                    self._changed[sku] = evolve(self._product(sku), event, recorded)
        if up_to > self.position:
            self._taken = checkpoint_of(batch, up_to)
        self._tailing = tailing

    def settle(self, *, may_hold_back: bool) -> None:
        """Commits, unless that may wait for more."""
        opened = self._in_use()
        if self._taken == opened.checkpoint:
            return
        waited = time.monotonic() - opened.committed_at
        if may_hold_back and len(self._changed) < _CHANGED_MAX and waited < self._held_back_seconds():
            return
        with self._failing():
            opened.commit(self._changed, self._taken)
        self._remember()

    def check(self) -> None:
        """The folder may have been deleted or damaged, or another may have taken the view over."""
        self._versions.check()
        try:
            damage = self._in_use().files.damage()
        except OSError as error:
            raise TargetUnavailable(str(error)) from error
        if damage is not None:
            raise TargetMoved(f"the search index, version {self.version}: {damage}")

    def compare(self, other: TantivyBuild) -> Comparison:
        """Every SKU that either index has, on sale or not."""
        with self._failing(), other._failing():
            ours, theirs = all_stored(self._in_use().searcher), all_stored(other._in_use().searcher)
        keys = ours.keys() | theirs.keys()
        return Comparison(len(keys), sorted(key for key in keys if ours.get(key) != theirs.get(key)))

    def close(self) -> None:
        """Gives back the write lock; what was not committed is forgotten."""
        opened, self._opened = self._opened, None
        self._forget()
        if opened is not None:
            with suppress(EngineFailed), engine_errors():  # It may have failed long ago, on a full disk.
                opened.writer.wait_merging_threads()

    def _forget(self) -> None:
        self._taken = START
        self._changed: dict[str, IndexedProduct] = {}
        self._remembered: OrderedDict[str, IndexedProduct] = OrderedDict()
        self._tailing = False

    def _in_use(self) -> OpenedIndex:
        if self._opened is None:
            raise TargetMoved("the search index is closed")
        return self._opened

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """An engine's error becomes TargetMoved where the index on disk changed, else TargetUnavailable."""
        try:
            with engine_errors():
                yield
        except EngineFailed as error:
            self.check()
            raise TargetUnavailable(str(error)) from error

    def _reset(self) -> None:
        self.close()

    def _another(self, pointer: Pointer) -> TantivyBuild:
        return TantivyBuild(self._index_folder, self._numbers, beside=(self._versions, pointer))

    def _delete_gone(self) -> None:
        self._files.delete_gone(self._versions)

    def _open_version(self) -> None:
        try:
            with engine_errors():
                self._opened = self._open_intact() or self._open_new()
        except EngineFailed as error:
            raise TargetUnavailable(str(error)) from error
        self._taken = self._opened.checkpoint

    def _open_intact(self) -> OpenedIndex | None:
        """The version that lies there; None where none does, or where it is not what was once committed."""
        folder = self._files.folder(self.version)
        if not folder.exists():
            return None
        damage = IndexFiles(folder).damage()
        if damage is None:
            try:
                with engine_errors():
                    return OpenedIndex(folder)
            except EngineFailed as error:
                if error.will_pass:
                    raise
                damage = str(error)
        logger.error("search index is damaged: built anew", version=self.version, reason=damage)
        return None

    def _open_new(self) -> OpenedIndex:
        """An empty index: the next version where this one is lost or damaged."""
        if self.is_published or self._files.folder(self.version).exists():
            self._versions.withdraw()
            self._begin()
        return OpenedIndex(self._files.folder(self.version))

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
        if not self.is_published:
            return _HELD_BACK_SECONDS_UNPUBLISHED
        if not self._tailing:
            return _HELD_BACK_SECONDS_CATCHING_UP
        return _HELD_BACK_SECONDS if self._changed else _HELD_BACK_SECONDS_QUIET
