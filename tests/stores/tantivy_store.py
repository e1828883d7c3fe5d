"""The search index in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from projections.documents.tantivy_reader import TantivyReader
from projections.engine.versions import Numbers, Stored
from projections.tantivy.build import TantivyBuild
from projections.tantivy.versions import IndexVersions
from tests.stores.store import SearchStore, SearchStoreReader


class TantivyStore(SearchStore):
    """The embedded index, in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def build(self, numbers: Numbers | None = None) -> TantivyBuild:
        return TantivyBuild(self.folder, numbers or self.numbers)

    def reader(self) -> SearchStoreReader:
        return SearchStoreReader(TantivyReader(self.folder))

    def versions(self) -> list[int]:
        return sorted(int(path.name.removeprefix("search.v")) for path in self.folder.glob("search.v*"))

    def stored(self) -> Stored:
        return IndexVersions(self.folder).read()

    def content(self) -> object:
        return {
            path.relative_to(self.folder): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def empty(self) -> None:
        shutil.rmtree(self.folder)

    def save(self) -> Callable[[], None]:
        saved = self.folder.with_name(f"saved-{uuid4().hex[:6]}")
        shutil.copytree(self.folder, saved)

        def restore() -> None:
            again = self.folder.with_name("again")
            shutil.copytree(saved, again)
            while again.exists():  # A projector may be at work, and make the folder anew meanwhile.
                self.folder.rename(self.folder.with_name(f"replaced-{uuid4().hex[:6]}"))
                with suppress(OSError):
                    again.rename(self.folder)

        return restore

    def lose_a_part(self, version: int) -> None:
        shutil.rmtree(self.folder / f"search.v{version}")

    def close(self) -> None:
        pass

    def damage(self, version: int, sku: str) -> None:
        store = min((self.folder / f"search.v{version}").glob("*.store"))
        content = bytearray(store.read_bytes())
        content[len(content) // 3] ^= 4
        beside = store.with_name("beside")
        beside.write_bytes(bytes(content))
        beside.replace(store)  # Under a new inode: a reader that has the old file mapped keeps it.
