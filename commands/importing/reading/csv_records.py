"""Records of delimited text: a quoted line break stays in its record, and damage spares what is around it.

Each line is taken by itself and joined with those after it only where that gives a complete record: a quote
that is never closed would swallow the rest of the file otherwise.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from commands.importing.online_retail.columns import Columns, find_columns, wrong_columns
from commands.importing.reading.encodings import Encoding, find_encoding
from commands.importing.reading.files import opened, refuse_others
from commands.importing.reading.refusals import Damaged, NotOnlineRetail, damaged

LINE_MAX = 4_096
"""Characters of a record, and of any line that is looked at."""
JOINED_MAX = 50
_HINT = re.compile("sep=.")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

Row = tuple[int, list[str]]
Numbered = tuple[int, str]


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file of delimited text whose header was found. Line numbers count lines of text from 1."""

    path: Path
    encoding: Encoding
    delimiter: str
    columns: Columns
    header_at: int

    @property
    def description(self) -> str:
        """How it is read."""
        return f"{self.columns.edition}, {self.encoding.name}, {DELIMITERS[self.delimiter]} between columns"

    def place(self, number: int) -> str:
        """What a line is called."""
        return f"line {number}"

    def part(self, number: int) -> str:
        """What the part is called that begins with a line."""
        return f"the part from line {number} on"

    def rows(self) -> Iterator[Row | Damaged]:
        """Every record after the header, clean, with its first line's number. Raises NotOnlineRetail."""
        with _text(self.path, self.encoding) as file:
            for item in records(_lines(file), self):
                yield item if isinstance(item, Damaged) else (item[0], self.columns.record(item[1]))

    def fields(self, text: str) -> list[str]:
        """What stands between the delimiters. Raises csv.Error."""
        if '"' not in text:
            return text.rstrip("\r\n").split(self.delimiter)
        return next(csv.reader((text,), strict=True, delimiter=self.delimiter))


def open_csv(path: Path) -> CsvFile:
    """Finds out how the file is to be read. Raises NotOnlineRetail."""
    with opened(path) as file:
        refuse_others(path, file.peek(64)[:64])  # type: ignore[attr-defined]
        encoding = find_encoding(file)
    with _text(path, encoding) as file:
        header_at, first = _first_line(_lines(file))
    if not header_at:
        raise NotOnlineRetail(f"{path}: the file holds nothing but blank lines")
    found: list[str] = []
    for delimiter in DELIMITERS:
        try:
            header = next(csv.reader((first,), strict=True, delimiter=delimiter))
        except csv.Error:
            continue
        columns = find_columns(header)
        if columns is not None:
            return CsvFile(path, encoding, delimiter, columns, header_at)
        found = max(found, header, key=len)
    raise wrong_columns(found or [first])


def _first_line(lines: Iterator[Numbered]) -> Numbered:
    """The first line that is not blank and no hint of a spreadsheet's; numbered 0 where there is none."""
    for number, text in lines:
        line = text.strip("\ufeff\r\n")
        if line.strip() and not _HINT.fullmatch(line):
            return number, line
    return 0, ""


def records(lines: Iterator[Numbered], file: CsvFile) -> Iterator[Row | Damaged]:
    """The records in these lines, and what is none."""
    ahead: deque[Numbered] = deque()
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        number, text = line
        if number <= file.header_at:
            continue
        if len(text) > LINE_MAX:
            yield damaged(number, f"the line is longer than {LINE_MAX} characters", text)
        elif not file.encoding.is_valid(text):
            reason = f"the line is not {file.encoding.name.partition(' with')[0]}"
            yield damaged(number, reason, text)
        else:
            try:
                fields = file.fields(text)
            except csv.Error as error:
                joined = _joined(text, ahead, lines, file)
                if joined is None:
                    yield damaged(number, f"the line is not CSV: {error}", text)
                    continue
                fields = joined
            if len(fields) == file.columns.count:
                yield number, fields
            elif text.strip():
                yield damaged(number, f"{len(fields)} columns instead of {file.columns.count}", text)


def _joined(text: str, ahead: deque[Numbered], lines: Iterator[Numbered], file: CsvFile) -> list[str] | None:
    """The fields of a record that goes on in the lines after it, and uses those up; None where none does."""
    used: list[Numbered] = []
    fields: list[str] | None = None
    while fields is None and len(used) < JOINED_MAX and len(text) <= LINE_MAX:
        line = ahead.popleft() if ahead else next(lines, None)
        if line is None:
            break
        used.append(line)
        if _is_record(line[1], file):
            break  # The quote was never closed: this is a line of its own.
        text += line[1]
        if file.encoding.is_valid(line[1]) and _is_record(text, file):
            fields = file.fields(text)
    if fields is None:
        ahead.extendleft(reversed(used))
    return fields


def _is_record(text: str, file: CsvFile) -> bool:
    try:
        return len(text) <= LINE_MAX and len(file.fields(text)) == file.columns.count
    except csv.Error:
        return False


def _lines(file: TextIO) -> Iterator[Numbered]:
    """Lines by number from 1, at most LINE_MAX + 1 characters of each."""
    number = 0
    while text := file.readline(LINE_MAX + 1):
        number += 1
        if len(text) > LINE_MAX and not text.endswith(("\n", "\r")):
            while (rest := file.readline(LINE_MAX)) and not rest.endswith(("\n", "\r")):
                pass
        yield number, text


@contextmanager
def _text(path: Path, encoding: Encoding) -> Iterator[TextIO]:
    """The file as text, the ends of its lines as they stand there."""
    with (
        opened(path) as file,
        io.TextIOWrapper(file, encoding=encoding.codec, errors=encoding.errors, newline="") as text,
    ):
        yield text
