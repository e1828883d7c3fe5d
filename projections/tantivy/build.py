"""A version of the embedded search index: the projector is its only writer.

Documents and checkpoint become durable, and visible to readers, in one commit.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from event_store.records import Checkpoint
from projections.documents.keys import Pointer
from projections.documents.tantivy_files import EngineFailed, IndexFiles, engine_errors
from projections.documents.words.lexicon import Lexicon
from projections.engine.follower import TargetMoved, TargetUnavailable
from projections.engine.versions import Numbers, Versions
from projections.search.build import SearchBuild
from projections.tantivy.documents import all_stored, stored_state
from projections.tantivy.opened import OpenedIndex
from projections.tantivy.versions import IndexVersions
from projections.views.search import IndexedProduct

logger = structlog.get_logger(__name__)


class TantivyBuild(SearchBuild):
    """One version of the embedded search index."""

    def __init__(
        self,
        index_folder: Path,
        numbers: Numbers,
        *,
        lexicon: Lexicon | None = None,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """See SearchBuild."""
        self._index_folder = index_folder
        self._numbers = numbers
        self._files = IndexVersions(index_folder)
        self._opened: OpenedIndex | None = None
        super().__init__(self._files, numbers, lexicon=lexicon, beside=beside)

    def check(self) -> None:
        """The folder may have been deleted, damaged or replaced, or another may have taken the view over."""
        self._versions.check()
        self._check_files()

    def _check_files(self) -> None:
        try:
            damage = self._in_use().damage()
        except OSError as error:
            raise TargetUnavailable(str(error)) from error
        if damage is not None:
            raise TargetMoved(f"the search index, version {self.version}: {damage}")

    def deletion(self, gone: Pointer) -> Generator[None, None, None]:
        return self._files.delete_version(gone.version)

    def close(self) -> None:
        """Gives back the write lock; what was not committed is forgotten."""
        opened, self._opened = self._opened, None
        self._forget()
        if opened is not None:
            with suppress(EngineFailed), engine_errors():  # It may have failed long ago, on a full disk.
                opened.writer.wait_merging_threads()

    def _require_open(self) -> None:
        self._in_use()

    def _states(self, skus: Collection[str]) -> Mapping[str, bytes]:
        opened = self._in_use()
        found = ((sku, stored_state(opened.searcher, opened.queries, sku)) for sku in skus)
        return {sku: state for sku, state in found if state is not None}

    def _commit(self, changed: Mapping[str, IndexedProduct], checkpoint: Checkpoint) -> None:
        self._check_files()  # What was put in its place is not written to.
        self._in_use().commit(changed, checkpoint)

    def _all_stored(self) -> Iterator[tuple[str, bytes]]:
        return all_stored(self._in_use().searcher)

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

    def _is_there(self) -> bool:
        folder = self._files.folder(self.version)
        return folder.is_dir() and IndexFiles(folder).damage() is None

    def _another(self, pointer: Pointer) -> TantivyBuild:
        return TantivyBuild(
            self._index_folder, self._numbers, lexicon=self.lexicon, beside=(self._versions, pointer)
        )

    def _open_version(self) -> None:
        try:
            with engine_errors():
                self._opened = self._open_intact() or self._open_new()
        except EngineFailed as error:
            raise TargetUnavailable(str(error)) from error
        self._opened_at(self._opened.checkpoint)

    def _open_intact(self) -> OpenedIndex | None:
        """The version that lies there; None where none does, or where it is not what was once committed."""
        folder = self._files.folder(self.version)
        if not folder.exists():
            return None
        damage = IndexFiles(folder).damage()
        if damage is None:
            try:
                with engine_errors():
                    return OpenedIndex(folder, self.lexicon)
            except EngineFailed as error:
                if error.will_pass:
                    raise
                damage = str(error)
        logger.error("search index is damaged: built anew", version=self.version, reason=damage)
        return None

    def _open_new(self) -> OpenedIndex:
        """An empty index: the next version where this one is lost or damaged."""
        if self._pinned is not None and self._files.folder(self.version).exists():
            raise TargetMoved(f"the search index, version {self.version}, is damaged")
        if self.is_published or self._files.folder(self.version).exists():
            self._versions.withdraw()
            self._begin()
        return OpenedIndex(self._files.folder(self.version), self.lexicon)
