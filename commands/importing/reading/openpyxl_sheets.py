"""Records of a workbook's sheets, row by row, so that a large one is never in memory at once.

openpyxl tells formulas and a spreadsheet's errors apart from values; both are refused by name here.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from commands.importing.online_retail.columns import DATE, Columns, find_columns, wrong_columns
from commands.importing.reading.refusals import Damaged, NotOnlineRetail, damaged, printable
from commands.importing.reading.text import clean

ROWS_MAX = 1_048_576  # of a sheet, and columns below: what the format itself allows
COLUMNS_LOOKED_AT = 64
HEADER_LOOKED_FOR = 10  # rows that are not blank
SHEET_BYTES_MAX = 4 << 30  # it is gone through row by row
PART_BYTES_MAX = {"xl/sharedStrings.xml": 128 << 20}  # in memory at once, as are the others
OTHER_BYTES_MAX = 32 << 20

Row = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that has the columns. Its rows are numbered on from the rows of the sheets before it."""

    name: str
    columns: Columns
    header_at: int  # its row
    width: int


@dataclass(slots=True)
class Workbook:
    """A workbook's sheets of invoice lines, and what of it is not read."""

    path: Path
    sheets: list[Sheet]
    passed_over: list[str]
    begins: list[int] = field(default_factory=list)  # the numbers before each sheet's first row

    @property
    def description(self) -> str:
        """How it is read."""
        edition = self.sheets[0].columns.edition
        names = " and ".join(f"'{printable(sheet.name, 40)}'" for sheet in self.sheets)
        passed = f", {', '.join(self.passed_over)}" if self.passed_over else ""
        return f"{edition}, .xlsx, sheet{'s' if len(self.sheets) > 1 else ''} {names}{passed}"

    def place(self, number: int) -> str:
        """What a row is called."""
        sheet = f"{self.part(number)}, " if len(self.sheets) > 1 else ""
        return f"{sheet}row {number - self.begins[self._nth(number)]}"

    def part(self, number: int) -> str:
        """What the sheet is called that a row is of."""
        return f"sheet '{printable(self.sheets[self._nth(number)].name, 40)}'"

    def _nth(self, number: int) -> int:
        return max(at for at, begin in enumerate(self.begins) if begin < number)

    def rows(self) -> Iterator[Row | Damaged]:
        """Every row below a header that is not blank. Raises NotOnlineRetail."""
        self.begins = [0]
        with _opened(self.path) as workbook:
            for sheet in self.sheets:
                begin = last = self.begins[-1]
                for row, cells in _rows(workbook[sheet.name], sheet.header_at + 1, sheet.width):
                    last = begin + row
                    yield _record(last, cells, sheet.columns)
                self.begins.append(last)
        self.begins.pop()


def open_workbook(path: Path) -> Workbook:
    """Finds the sheets to be read. Raises NotOnlineRetail."""
    sheets: list[Sheet] = []
    passed_over: list[str] = []
    header: list[str] = []
    with _opened(path) as workbook:
        for worksheet in workbook.worksheets:
            if worksheet.sheet_state != "visible":
                passed_over.append(f"hidden sheet '{printable(worksheet.title, 40)}' not read")
                continue
            found = _header(worksheet)
            if isinstance(found, Sheet):
                sheets.append(found)
            else:
                passed_over.append(f"sheet '{printable(worksheet.title, 40)}' not read: other columns")
                header = max(header, found, key=len)
    if sheets:
        return Workbook(path, sheets, passed_over)
    if header:
        raise wrong_columns(header)
    raise NotOnlineRetail(f"{path}: no visible sheet has any cells ({'; '.join(passed_over) or 'no sheets'})")


def _header(worksheet: Any) -> Sheet | list[str]:
    """The sheet's columns by its header, else the names in its first row."""
    first: list[str] = []
    for row, cells in islice(_rows(worksheet, 1, COLUMNS_LOOKED_AT), HEADER_LOOKED_FOR):
        names = ["" if cell.value is None else str(cell.value) for cell in cells]
        while names and not names[-1].strip():
            names.pop()
        columns = find_columns(names)
        if columns is not None:
            return Sheet(worksheet.title, columns, row, len(names))
        first = first or names
    return first


def _rows(worksheet: Any, first: int, width: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The rows that are not blank, by number. A sheet's own record of its size is often wrong."""
    worksheet.reset_dimensions()
    for number, cells in enumerate(worksheet.iter_rows(min_row=first, max_col=width), first):
        if number > ROWS_MAX:
            raise NotOnlineRetail(f"sheet '{printable(worksheet.title, 40)}' has more than {ROWS_MAX:,} rows")
        if any(cell.value is not None and cell.value != "" for cell in cells):
            yield number, cells


def _record(number: int, cells: tuple[Any, ...], columns: Columns) -> Row | Damaged:
    texts = []
    for at, place in enumerate(columns.places):
        try:
            texts.append(clean(_text(cells[place], is_date=at == DATE)))
        except ValueError as error:
            shown = ",".join("" if cell.value is None else str(cell.value) for cell in cells)
            return damaged(number, str(error), shown)
    return number, texts


def _text(cell: Any, *, is_date: bool) -> str:
    """A cell as a file of text has it. Raises ValueError for what is no plain value."""
    value = cell.value
    match cell.data_type:
        case "s" | "inlineStr":
            return value or ""
        case "f":
            raise ValueError(f"a formula in {cell.coordinate}: only what was written down is read")
        case "e":
            raise ValueError(f"a spreadsheet's error in {cell.coordinate}: {printable(str(value), 20)}")
        case "b":
            raise ValueError(f"a yes or no in {cell.coordinate}")
    if isinstance(value, float):
        # A spreadsheet's numbers have 15 digits; what stands behind them is the machine's.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, date | time | timedelta):
        if not is_date or not isinstance(value, date):
            raise ValueError(f"a date or time in {cell.coordinate}, where none belongs")
        return _moment(value)
    return "" if value is None else str(value)


def _moment(value: date) -> str:
    """Cells hold a day's fraction: what it comes to is right to the second."""
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return str((moment + timedelta(milliseconds=500)).replace(microsecond=0))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The workbook. Raises NotOnlineRetail for one that is damaged."""
    with path.open("rb") as file:
        _check_parts(path, file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which do not touch the values
            try:
                workbook = load_workbook(file, read_only=True, keep_links=False)
                yield workbook
            except NotOnlineRetail:
                raise
            except Exception as error:  # openpyxl has no error of its own for a broken part
                reason = printable(str(error).partition("\n")[0], 120)
                raise NotOnlineRetail(f"{path}: the workbook is damaged: {reason}") from error


def _check_parts(path: Path, file: Any) -> None:
    try:
        parts = {part.filename: part for part in zipfile.ZipFile(file).infolist()}
    except (zipfile.BadZipFile, OSError) as error:
        raise NotOnlineRetail(f"{path}: the workbook is damaged: {error}") from error
    if "[Content_Types].xml" not in parts or not any(name.startswith("xl/") for name in parts):
        shown = ", ".join(printable(name, 60) for name in list(parts)[:3]) or "nothing"
        raise NotOnlineRetail(f"{path} is a zip but no .xlsx (in it: {shown}): unpack it first")
    if "xl/workbook.bin" in parts:
        raise NotOnlineRetail(f"{path} is a binary workbook (.xlsb): save it as .xlsx")
    for name, part in parts.items():
        if part.flag_bits & 1:
            raise NotOnlineRetail(f"{path} has a password")
        most = PART_BYTES_MAX.get(name, OTHER_BYTES_MAX)
        if name.startswith("xl/worksheets/"):
            most = SHEET_BYTES_MAX
        if part.file_size > most and name.endswith((".xml", ".rels")):
            raise NotOnlineRetail(f"{path}: {printable(name, 60)} unpacks to {part.file_size:,} bytes")
    file.seek(0)
