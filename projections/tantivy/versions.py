"""The versions of the search index on disk: a folder each, a pointer file naming the live one, a record."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from projections.documents.keys import Pointer
from projections.documents.tantivy_schema import FOLDER_PREFIX, POINTER_FILE, version_folder
from projections.engine.follower import TargetUnavailable
from projections.engine.versions import Stored

_RECORD_FILE = "search.record.json"
_LOCK_FILE = "search.lock"
_LOCK_SECONDS_MAX = 2.0


class IndexVersions:
    """What lies in the index folder. See `projections.engine.versions.VersionStore`.

    The two files are compared and set under a file lock. Its holder may stop in the midst of it: then others
    wait in vain, and change nothing. The pointer is set first, and who takes over puts the record right.
    """

    def __init__(self, index_folder: Path) -> None:
        self._index_folder = index_folder

    def read(self) -> Stored:
        with _wrapped():
            return Stored(*(self._file(name) for name in (_RECORD_FILE, POINTER_FILE)))

    def change(self, expected: Stored, new: Stored) -> bool:
        with _wrapped():
            if self._index_folder.exists() and not self._index_folder.is_dir():
                self._index_folder.unlink()
            self._index_folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if self.read() != expected:
                    return False
                if new.pointer != expected.pointer or new.pointer is None:
                    self._set(POINTER_FILE, new.pointer)
                self._set(_RECORD_FILE, new.record)
                return True

    def left_over(self, record: bytes | None) -> list[Pointer]:
        names = (
            path.name.removeprefix(FOLDER_PREFIX) for path in self._index_folder.glob(f"{FOLDER_PREFIX}*")
        )
        return [Pointer(int(number), 1) for number in names if number.isdecimal()]

    def folder(self, version: int) -> Path:
        """Where a version lies."""
        return version_folder(self._index_folder, version)

    def delete_version(self, version: int) -> Generator[None, None, None]:
        """Deletes a version's folder, in steps; readers at work keep the files they have open."""
        folder = self.folder(version)
        with _wrapped():
            for file in list(folder.iterdir()) if folder.is_dir() else ():
                _remove(file)
                yield
            _remove(folder)
        if folder.exists():
            raise TargetUnavailable(f"the search index: {folder.name} cannot be deleted")

    def _file(self, name: str) -> bytes | None:
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            return (self._index_folder / name).read_bytes()
        return None

    def _set(self, name: str, content: bytes | None) -> None:
        """Durably, in one step."""
        file = self._index_folder / name
        if file.is_dir():
            _remove(file)
        if content is None:
            file.unlink(missing_ok=True)
        else:
            fresh = file.with_name(f"{name}.new")
            with fresh.open("wb") as written:
                written.write(content)
                written.flush()
                os.fsync(written.fileno())
            fresh.replace(file)
        _sync_folder(self._index_folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._index_folder / _LOCK_FILE).open("wb") as lock:
            until = time.monotonic() + _LOCK_SECONDS_MAX
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.01)
            yield


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TargetUnavailable(f"the search index: {error}") from error


def _remove(path: Path) -> None:
    """Whatever lies there: only what is ours bears such a name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
