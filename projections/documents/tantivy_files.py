"""Whether the search index on disk is what was once committed.

The engine keeps a checksum at the end of every file, and trusts its files without looking at it: one that is
damaged answers wrongly, fails somewhere later, or ends the process.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import msgspec

from projections.documents.tantivy_schema import META_FILE

_KINDS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
_MAGIC = 1337
_LOST = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO}
_PASSING = re.compile(r"LockBusy|No space|StorageFull|Too many open files|Cannot allocate|Read-only|quota")


class EngineFailed(Exception):  # noqa: N818
    """The engine could not do an operation."""

    @property
    def will_pass(self) -> bool:
        """Whether the machine lacked something (memory, descriptors): the index itself may be intact."""
        return _PASSING.search(str(self)) is not None


@contextmanager
def engine_errors() -> Iterator[None]:
    """What the engine raises, a panic included, as EngineFailed."""
    try:
        yield
    except (ValueError, OSError, msgspec.MsgspecError) as error:
        raise EngineFailed(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # It has no name that could be imported.
            raise
        raise EngineFailed(str(error)) from error


class _Deletes(msgspec.Struct):
    opstamp: int


class _Segment(msgspec.Struct):
    segment_id: str
    deletes: _Deletes | None = None


class _Meta(msgspec.Struct):
    segments: list[_Segment]
    schema: msgspec.Raw
    opstamp: int  # that of the last commit; merges leave it as it is


class IndexFiles:
    """What the last commit of the index in this folder is made of.

    A file is read once, and again where it was changed: the engine never changes one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sound: dict[str, tuple[int, int, int]] = {}
        self._schema: bytes | None = None  # as it was at the first look
        self.commit: int | None = None
        """The engine's number of the last commit, as of the last look."""

    def damage(self) -> str | None:
        """What is wrong, or None. Raises OSError where that cannot be found out now."""
        try:
            while True:
                listed = (self._folder / META_FILE).read_bytes()
                wrong = self._wrong(listed)
                # What is missing may have been replaced by a commit meanwhile.
                if wrong is None or (self._folder / META_FILE).read_bytes() == listed:
                    return wrong
        except OSError as error:
            if error.errno not in _LOST:
                raise
            return f"{META_FILE}: {error.strerror}"

    def _wrong(self, listed: bytes) -> str | None:
        try:
            meta = msgspec.json.decode(listed, type=_Meta)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return f"{META_FILE} does not list segments"
        if self._schema is not None and self._schema != bytes(meta.schema):
            return f"{META_FILE} lists another index"
        sound = {}
        for name in _names(meta):
            try:
                stat = (self._folder / name).stat()
                identity = stat.st_ino, stat.st_size, stat.st_mtime_ns
                if self._sound.get(name) != identity and not _is_complete((self._folder / name).read_bytes()):
                    return f"{name} is not as it was written"
            except OSError as error:
                if error.errno not in _LOST:
                    raise
                return f"{name}: {error.strerror}"
            sound[name] = identity
        self._sound, self._schema, self.commit = sound, bytes(meta.schema), meta.opstamp
        return None


def _names(meta: _Meta) -> Iterator[str]:
    for segment in meta.segments:
        own = segment.segment_id.replace("-", "")
        yield from (f"{own}.{kind}" for kind in _KINDS)
        if segment.deletes is not None:
            yield f"{own}.{segment.deletes.opstamp}.del"


def _is_complete(data: bytes) -> bool:
    """The content, then a footer with its CRC-32 as JSON, the footer's length, and a magic number."""
    try:
        length, magic = struct.unpack("<II", data[-8:])
        footer = msgspec.json.decode(data[-8 - length : -8])
        return bool(magic == _MAGIC and footer["crc"] == crc32(data[: -8 - length]))
    except (struct.error, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return False
