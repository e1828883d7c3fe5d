"""A file read once, from its beginning to its end, into records that can be gone through as often as needed.

What is worked with afterwards is this copy: the file may change or go meanwhile.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from commands.importing.online_retail.columns import DATE, PRICE, is_header
from commands.importing.reading.csv_records import CsvFile, open_csv
from commands.importing.reading.dates import DateEvidence, DateForm
from commands.importing.reading.files import ZIP, begins_with, errors_naming
from commands.importing.reading.numbers import NumberEvidence, with_points
from commands.importing.reading.openpyxl_sheets import Workbook, open_workbook
from commands.importing.reading.parts import Parts, Record, find_parts
from commands.importing.reading.refusals import Damaged, NotOnlineRetail

MOVED = 1_000  # lines
_DAMAGED = "\x1f"  # stands in no clean field


@dataclass(frozen=True, slots=True)
class Outline:
    """One look through the file: which content it is, how it is read, and what stands in it twice."""

    digest: str  # SHA-256 of its records, hex
    lines: int  # without the header and blank lines
    description: str
    form: DateForm
    decimal_comma: bool
    parts: Parts


class Reading:
    """The records of one file."""

    def __init__(self, source: CsvFile | Workbook, outline: Outline, copy: BinaryIO) -> None:
        """`copy` holds what `records` gives."""
        self.outline = outline
        self._source = source
        self._copy = copy

    def place(self, number: int) -> str:
        """What a line is called: its number in the text, or its sheet and row."""
        return self._source.place(number)

    def repetition(self, invoice: str, first: int) -> str:
        """Why a line does not count whose invoice an earlier part has."""
        parts = self.outline.parts
        otherwise = ", with other lines" if invoice in parts.differing else ""
        return f"its invoice stands in {self._source.part(parts.begins[first] + 1)} too{otherwise}"

    def records(self) -> Iterator[Record | Damaged]:
        """Every line after the header: its number and its clean fields in the order of `columns`."""
        for item in _records(self._copy):
            if self.outline.decimal_comma and not isinstance(item, Damaged):
                yield item[0], with_points(item[1])
            else:
                yield item


@contextmanager
def read_file(
    path: Path, *, dates: DateForm | None = None, moved: Callable[[int], None] = lambda _: None
) -> Iterator[Reading]:
    """Reads all of the file; `dates` is their form where the file does not show it. Raises NotOnlineRetail.

    `moved` is called now and then with how many more lines were read.
    """
    with tempfile.TemporaryFile() as copy:
        with errors_naming(path):
            source = open_workbook(path) if begins_with(path).startswith(ZIP) else open_csv(path)
            outline = _copied(source, copy, dates, moved)
        yield Reading(source, outline, copy)


def _copied(
    source: CsvFile | Workbook, copy: BinaryIO, dates: DateForm | None, moved: Callable[[int], None]
) -> Outline:
    evidence, numbers = DateEvidence(source.place), NumberEvidence()
    digest, lines = hashlib.sha256(), 0
    for item in source.rows():
        if isinstance(item, Damaged):
            parts = [str(item.number), _DAMAGED, item.reason, item.text]
        else:
            number, record = item
            if not any(record) or is_header(record):
                continue
            evidence.see(number, record[DATE])
            numbers.see(record[PRICE])
            parts = [str(number), *record]
        raw = "\t".join(parts).encode("utf-8", "replace") + b"\n"
        copy.write(raw)
        digest.update(raw)
        lines += 1
        if lines % MOVED == 0:
            moved(MOVED)
    if not lines:
        raise NotOnlineRetail(f"{source.path}: there is only a header, and no line of an invoice below it")
    form = evidence.decide(dates)
    commas = ", decimal commas" if numbers.decimal_comma else ""
    return Outline(
        digest=digest.hexdigest(),
        lines=lines,
        description=f"{source.description}, dates {form.value}{commas}",
        form=form,
        decimal_comma=numbers.decimal_comma,
        parts=_parts(source, evidence, form, copy),
    )


def _parts(source: CsvFile | Workbook, evidence: DateEvidence, form: DateForm, copy: BinaryIO) -> Parts:
    def records() -> Iterator[Record]:
        return (item for item in _records(copy) if not isinstance(item, Damaged))

    if isinstance(source, Workbook):
        return find_parts(records, source.begins)
    back_at = evidence.orders[form].back_at
    if len(back_at) == 1:  # In order of time but for one step back: two texts, one after the other.
        joined = find_parts(records, (0, back_at[0] - 1))
        if joined.is_repetition:
            return joined
    return find_parts(records, (0,))


def _records(copy: BinaryIO) -> Iterator[Record | Damaged]:
    copy.seek(0)
    for raw in copy:
        number, *fields = raw.decode()[:-1].split("\t")
        if fields[0] == _DAMAGED:
            yield Damaged(int(number), fields[1], fields[2])
        else:
            yield int(number), fields
