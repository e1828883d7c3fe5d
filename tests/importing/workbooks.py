"""Workbooks as the data set's publisher gives them, and as nobody should."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook

HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")


def row(text: str) -> list[Any]:
    """A line of text as a spreadsheet keeps it: numbers are numbers, dates are dates."""
    invoice, code, description, quantity, at, price, customer, country = text.split(",")
    return [
        int(invoice) if invoice.isdecimal() else invoice,
        int(code) if code.isdecimal() else code,
        description or None,
        int(quantity),
        datetime.fromisoformat(at),
        float(price),
        float(customer) if customer else None,
        country,
    ]


def workbook(path: Path, sheets: Mapping[str, Iterable[Sequence[Any]]], **settings: Any) -> Path:
    """A workbook of these sheets, each below the header of the later edition."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, value in settings.items():
        setattr(book, name, value)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for cells in (HEADER, *rows):
            sheet.append(list(cells))
    book.save(path)
    return path


def with_part(path: Path, name: str, change: tuple[str, str]) -> Path:
    """The same workbook with one part's text, or none, changed by a regular expression."""
    with zipfile.ZipFile(path) as packed:
        parts = {part: packed.read(part) for part in packed.namelist()}
    before = parts.get(name, b"").decode()
    changed = re.sub(change[0], change[1], before, flags=re.DOTALL)
    assert changed != before
    parts[name] = changed.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part, content in parts.items():
            packed.writestr(part, content)
    return path
