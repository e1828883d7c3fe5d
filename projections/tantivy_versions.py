"""The versions of the search index on disk: a folder each, and a pointer file naming the live one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from projections.documents.keys import Pointer
from projections.documents.tantivy_schema import (
    FOLDER_PREFIX,
    META_FILE,
    POINTER_FILE,
    read_pointer,
    version_folder,
)


class IndexVersions:
    """What lies in the index folder. Only the projector changes it."""

    def __init__(self, index_folder: Path) -> None:
        self._index_folder = index_folder

    def live(self) -> Pointer | None:
        """What readers read; None where there is nothing yet."""
        return read_pointer(self._index_folder)

    def newest(self) -> int:
        """The highest version there is, live or not; 0 where there is none."""
        versions = [
            int(folder.name.removeprefix(FOLDER_PREFIX))
            for folder in self._folders()
            if folder.name.removeprefix(FOLDER_PREFIX).isdecimal()
        ]
        live = self.live()
        return max([*versions, 0 if live is None else live.version])

    def folder(self, version: int) -> Path:
        """Where a version lies."""
        return version_folder(self._index_folder, version)

    def is_there(self, version: int) -> bool:
        """Whether the version has an index, if an empty one."""
        return (self.folder(version) / META_FILE).exists()

    def publish(self, pointer: Pointer) -> None:
        """Turns the pointer in one step, durably, and then deletes the other versions."""
        fresh = self._index_folder / f"{POINTER_FILE}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(pointer))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._index_folder / POINTER_FILE)
        _sync_folder(self._index_folder)
        for folder in self._folders():
            if folder != self.folder(pointer.version):
                shutil.rmtree(folder, ignore_errors=True)

    def withdraw(self) -> None:
        """From now on there is nothing to read."""
        (self._index_folder / POINTER_FILE).unlink(missing_ok=True)

    def delete(self, version: int) -> None:
        """Deletes the version's folder; readers at work keep the files they have open."""
        shutil.rmtree(self.folder(version), ignore_errors=True)

    def _folders(self) -> list[Path]:
        return [path for path in self._index_folder.glob(f"{FOLDER_PREFIX}*") if path.is_dir()]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
