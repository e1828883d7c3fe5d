"""Opening what somebody gave as a file; what is no text and no workbook is called what it is instead."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from commands.importing.reading.refusals import NotOnlineRetail

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
OTHERS = {  # how a file begins, and what it then is
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "a workbook of before 2007 (.xls), or one with a password: save it as .xlsx or CSV",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a rar archive: unpack it first",
    b"BZh": "packed with bzip2: unpack it first",
    b"\xfd7zXZ": "packed with xz: unpack it first",
    b"(\xb5/\xfd": "packed with zstd: unpack it first",
    b"PAR1": "a Parquet file",
    b"\xff\xfe\x00\x00": "UTF-32, which is not read: save it as UTF-8",
    b"\x00\x00\xfe\xff": "UTF-32, which is not read: save it as UTF-8",
}


@contextmanager
def errors_naming(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a file into a refusal that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise NotOnlineRetail(f"{path}: the gzip packing is broken: {error}") from error
    except OSError as error:
        raise NotOnlineRetail(f"{path}: {(error.strerror or str(error)).lower()}") from error


def begins_with(path: Path) -> bytes:
    """The first bytes of a file. Raises NotOnlineRetail where there are none."""
    with errors_naming(path):
        if not path.exists():
            raise NotOnlineRetail(f"{path}: there is no such file")
        if path.is_dir():
            raise NotOnlineRetail(f"{path} is a directory")
        if not path.is_file():
            raise NotOnlineRetail(f"{path} is no ordinary file")
        with path.open("rb") as file:
            first = file.read(64)
    if not first:
        raise NotOnlineRetail(f"{path}: the file is empty")
    return first


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it is packed with gzip."""
    packed = begins_with(path).startswith(GZIP)
    with errors_naming(path), io.BufferedReader(gzip.open(path)) if packed else path.open("rb") as file:
        yield file


def refuse_others(path: Path, first: bytes) -> None:
    """Refuses what begins as no text does."""
    if not first:
        raise NotOnlineRetail(f"{path}: the file is empty")
    for start, name in OTHERS.items():
        if first.startswith(start):
            raise NotOnlineRetail(f"{path} is {name}")
    if first.startswith(ZIP):
        raise NotOnlineRetail(f"{path} is a zip inside a gzip: unpack it first")
    if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise NotOnlineRetail(f"{path} is a page of HTML or XML, not a table: save it as CSV or .xlsx")
