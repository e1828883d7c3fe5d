"""The versions of the search index on disk: a folder each, and a pointer file naming the live one."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
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
            int(path.name.removeprefix(FOLDER_PREFIX))
            for path in self._index_folder.glob(f"{FOLDER_PREFIX}*")
            if path.name.removeprefix(FOLDER_PREFIX).isdecimal()
        ]
        live = self.live()
        return max([*versions, 0 if live is None else live.version])

    def folder(self, version: int) -> Path:
        """Where a version lies."""
        return version_folder(self._index_folder, version)

    def make_room(self) -> None:
        """Takes away what lies where the folder must."""
        if self._index_folder.exists() and not self._index_folder.is_dir():
            self._index_folder.unlink()

    def is_there(self, version: int) -> bool:
        """Whether the version has an index, if an empty one."""
        try:
            return (self.folder(version) / META_FILE).exists()
        except OSError:
            return False

    def publish(self, pointer: Pointer) -> None:
        """Turns the pointer in one step, durably, and then deletes the other versions."""
        fresh = self._index_folder / f"{POINTER_FILE}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(pointer))
            file.flush()
            os.fsync(file.fileno())
        _remove_folder(self._index_folder / POINTER_FILE)
        fresh.replace(self._index_folder / POINTER_FILE)
        _sync_folder(self._index_folder)
        for path in self._index_folder.glob(f"{FOLDER_PREFIX}*"):
            if path != self.folder(pointer.version):
                _remove(path)

    def withdraw(self) -> None:
        """From now on there is nothing to read."""
        _remove_folder(self._index_folder / POINTER_FILE)
        (self._index_folder / POINTER_FILE).unlink(missing_ok=True)

    def delete(self, version: int) -> None:
        """Deletes the version's folder; readers at work keep the files they have open."""
        _remove(self.folder(version))


def _remove(path: Path) -> None:
    """Whatever lies there: only what is ours bears such a name."""
    _remove_folder(path)
    with suppress(OSError):
        path.unlink()


def _remove_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
