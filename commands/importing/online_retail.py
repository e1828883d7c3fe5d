"""Reading an Online Retail file (UCI data set 352): one invoice line per line of text, .csv or .csv.gz.

A damaged line is told apart and never harms its neighbours, so each line of text is parsed by itself: a
quote that is never closed would swallow the rest of the file otherwise. Whatever is not such a file at all
is refused as a whole, before anything is written.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import BinaryIO
from zoneinfo import ZoneInfo

from aggregates.kernel import UnitPrice

CURRENCY = "GBP"
HEADER = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)

LINE_BYTES_MAX = 4_096
DESCRIPTION_MAX = 200
QUANTITY_MAX = 10_000_000

_ZONE = ZoneInfo("Europe/London")  # "local UK time, no zone": the data set's description
_INVOICE = re.compile(r"[CA]?\d{1,12}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|BANK CHARGES", re.ASCII)
_QUANTITY = re.compile(r"-?\d{1,9}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_PRICE = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_CUSTOMER = re.compile(r"(\d{1,12})(?:\.0)?", re.ASCII)


class NotOnlineRetail(Exception):  # noqa: N818 - a refusal of the file, told to whoever gave it
    """The file is not one of these, or its packing is broken: nothing of it can be trusted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One invoice line. `amount` is quantity x price in pence, rounded half-even; both may be negative."""

    number: int  # of the line in the file; the header is line 1
    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime  # UTC
    price: UnitPrice
    amount: int
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that says nothing certain, and why."""

    number: int
    reason: str
    text: str  # as it stands there, cut to 200 characters


@dataclass(frozen=True, slots=True)
class Outline:
    """One look through the file: which content it is, and where each invoice's last line stands."""

    digest: str  # SHA-256 of the unpacked content, hex
    lines: int  # without the header
    last_line: dict[str, int]


class _Fault(Exception):  # noqa: N818
    """What is wrong with a line."""


def outline(path: Path) -> Outline:
    """Looks through the whole file once. Raises NotOnlineRetail, and OSError where it cannot be read."""
    digest = hashlib.sha256()
    last_line: dict[str, int] = {}
    number = 1
    for number, raw in _raw_lines(path):
        digest.update(raw)
        if number > 1:
            last_line[raw.split(b",", 1)[0].strip(b'"').decode("ascii", "replace")] = number
    return Outline(digest.hexdigest(), number - 1, last_line)


def read_lines(path: Path) -> Iterator[Line | Damaged]:
    """Every line after the header, in order. Raises as `outline` does."""
    for number, raw in _raw_lines(path):
        if number > 1:
            yield parse_line(number, raw)


def parse_line(number: int, raw: bytes) -> Line | Damaged:
    """The line, or what is wrong with it."""
    try:
        return _parsed(number, raw)
    except _Fault as fault:
        text = raw[:800].decode("utf-8", "replace").strip()[:200]
        return Damaged(number, str(fault), "".join(c if c.isprintable() else "\ufffd" for c in text))


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines by number from 1, at most LINE_BYTES_MAX + 1 bytes of each; the header is checked."""
    number = 0
    try:
        with _opened(path) as source:
            while raw := source.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(raw) > LINE_BYTES_MAX and not raw.endswith(b"\n"):
                    while (rest := source.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
                        pass
                if number == 1:
                    _check_header(raw)
                yield number, raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise NotOnlineRetail(f"{path}: the gzip packing is broken after line {number}: {error}") from error
    if number == 0:
        raise NotOnlineRetail(f"{path}: the file is empty")


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    return io.BufferedReader(gzip.open(path)) if packed else path.open("rb")


def _check_header(raw: bytes) -> None:
    found = raw.decode("utf-8-sig", "replace").strip()
    if tuple(name.strip('"') for name in found.split(",")) != HEADER:
        shown = "".join(c if c.isprintable() else "\ufffd" for c in found[:80])
        raise NotOnlineRetail(
            f'not an Online Retail file: the header is to be "{",".join(HEADER)}", not "{shown}"'
        )


def _parsed(number: int, raw: bytes) -> Line:
    invoice, code, description, quantity, at, price, customer, _country = _fields(raw)
    _must(_INVOICE, invoice, "invoice number")
    _must(_CODE, code, "stock code")
    if len(description) > DESCRIPTION_MAX or not description.isprintable():
        raise _Fault(f"the description is longer than {DESCRIPTION_MAX} characters or not printable")
    _must(_QUANTITY, quantity, "quantity")
    units = int(quantity)
    if units == 0 or abs(units) > QUANTITY_MAX:
        raise _Fault(f"the quantity {units} is 0 or beyond {QUANTITY_MAX:,}")
    customer_id = _must(_CUSTOMER, customer, "customer").group(1) if customer else None
    unit_price = _price(price)
    return Line(
        number=number,
        invoice=intern(invoice),
        code=intern(code),
        description=intern(" ".join(description.split())),
        quantity=units,
        at=_time(at),
        price=unit_price,
        amount=unit_price.times(units).amount,
        customer_id=intern(customer_id) if customer_id else None,
    )


def _fields(raw: bytes) -> list[str]:
    if len(raw) > LINE_BYTES_MAX:
        raise _Fault(f"the line is longer than {LINE_BYTES_MAX} bytes")
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _Fault("the line is not UTF-8") from None
    try:
        fields = next(csv.reader((text,), strict=True))
    except csv.Error as error:
        raise _Fault(f"the line is not CSV: {error}") from None
    if len(fields) != len(HEADER):
        raise _Fault(f"{len(fields)} columns instead of {len(HEADER)}")
    return fields


def _must(form: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = form.fullmatch(text)
    if match is None:
        raise _Fault(f"no {what}: {text[:40]!r}" if text else f"no {what}")
    return match


@lru_cache(maxsize=4_096)
def _price(text: str) -> UnitPrice:
    _must(_PRICE, text, "unit price")
    return UnitPrice(Decimal(text), CURRENCY)


@lru_cache(maxsize=256)
def _time(text: str) -> datetime:
    _must(_TIME, text, "date")
    try:
        local = datetime.fromisoformat(text)
        return local.replace(tzinfo=_ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Fault(f"no date: {text!r}") from None
