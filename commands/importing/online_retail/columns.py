"""The columns of the two editions of the data set, and where a file has each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands.importing.reading.refusals import NotOnlineRetail, printable
from commands.importing.reading.text import clean

INVOICE, CODE, DESCRIPTION, QUANTITY, DATE, PRICE, CUSTOMER = range(7)
"""Places in a record: the columns of either edition in this order, without the country."""

_HEADERS = {
    "Online Retail": "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
    "Online Retail II": "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
}
EDITIONS = {edition: header.split(",") for edition, header in _HEADERS.items()}


@dataclass(frozen=True, slots=True)
class Columns:
    """An edition, and which of the file's columns stands for each of its own."""

    edition: str
    count: int  # of the file's columns
    places: tuple[int, ...]  # of the invoice, the stock code, and so on

    def record(self, fields: Sequence[str]) -> list[str]:
        """A line's fields in the order of a record, clean."""
        return [clean(fields[place]) for place in self.places]


def find_columns(header: Sequence[str]) -> Columns | None:
    """The columns a header names, in any order, case and spacing; None where it is neither edition's."""
    found = [_key(name) for name in header]
    for edition, names in EDITIONS.items():
        if sorted(found) == sorted(map(_key, names)):
            return Columns(edition, len(found), tuple(found.index(_key(name)) for name in names[:7]))
    return None


def is_header(record: Sequence[str]) -> bool:
    """Whether it is a header again, as where files were joined. Raises NotOnlineRetail for another order."""
    if not record[DATE][:1].isalpha():
        return False
    found = [_key(name) for name in record]
    if found in _RECORDS:
        return True
    if len(set(found) & set(_RECORDS[0] + _RECORDS[1])) > len(found) // 2:
        raise NotOnlineRetail(
            f"columns go on in another order: {', '.join(printable(n, 40) for n in record)}"
        )
    return False


def wrong_columns(header: Sequence[str]) -> NotOnlineRetail:
    """The error that names the columns found, and those required."""
    found = ", ".join(printable(clean(name), 40) or "(none)" for name in header[:20])
    more = f" and {len(header) - 20} more" if len(header) > 20 else ""
    wanted = "; or ".join(", ".join(names) for names in EDITIONS.values())
    twice = sorted(
        {name for name in header if name.strip() and list(map(_key, header)).count(_key(name)) > 1}
    )
    repeated = f" ({printable(twice[0], 40)} stands there twice)" if twice else ""
    return NotOnlineRetail(
        f"not an Online Retail file: its columns are {found}{more}{repeated}; wanted are {wanted}"
    )


def _key(name: str) -> str:
    return "".join(clean(name).split()).casefold()


_RECORDS = [[_key(name) for name in names[:7]] for names in EDITIONS.values()]
