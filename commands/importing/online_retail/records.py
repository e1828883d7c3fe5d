"""Parses a record of an Online Retail file (UCI data sets 352 and 502): an invoice line, or damage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from sys import intern

from aggregates.kernel import UnitPrice
from commands.importing.reading.dates import DateForm, read_date
from commands.importing.reading.reading import Reading
from commands.importing.reading.refusals import Damaged, damaged
from commands.importing.reading.text import is_shown

CURRENCY = "GBP"
DESCRIPTION_MAX = 200
QUANTITY_MAX = 10_000_000

_INVOICE = re.compile(r"[CA]?\d{1,12}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|BANK CHARGES", re.ASCII)
_CALCULATED = re.compile(r"\d+\.\d*(?:[Ee][+-]?\d+)?|\d+[Ee][+-]\d+", re.ASCII)
_QUANTITY = re.compile(r"(-?\d{1,9})(?:\.0+)?", re.ASCII)
_PRICE = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_CUSTOMER = re.compile(r"(\d{1,12})(?:\.0+)?", re.ASCII)
_recurring = lru_cache(maxsize=8_192)  # Half a million lines have few codes, customers and prices.
_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}


@dataclass(frozen=True, slots=True)
class Line:
    """One invoice line. `amount` is quantity x price in pence, rounded half-even; both may be negative."""

    number: int  # in the file, whose reading gives it a name
    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime  # UTC
    price: UnitPrice
    amount: int
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """A line of an invoice that an earlier part of the file has too; it counts there."""

    line: Line
    reason: str


class _Fault(Exception):  # noqa: N818
    """What is wrong with a line."""


def read_lines(reading: Reading) -> Iterator[Line | Repeated | Damaged]:
    """Every line after the header, in order."""
    outline = reading.outline
    for item in reading.records():
        line = item if isinstance(item, Damaged) else parse_record(*item, outline.form)
        if isinstance(line, Damaged):
            yield line
            continue
        first = outline.parts.repeats(line.number, line.invoice)
        yield line if first is None else Repeated(line, reading.repetition(line.invoice, first))


def parse_record(number: int, record: list[str], form: DateForm) -> Line | Damaged:
    """The line of a clean record, or what is wrong with it."""
    try:
        return _parsed(number, record, form)
    except _Fault as fault:
        return damaged(number, str(fault), ",".join(record))


def _parsed(number: int, record: list[str], form: DateForm) -> Line:
    invoice, code, description, quantity, at, price, customer = record
    return Line(
        number=number,
        invoice=_invoice(invoice),
        code=_code(code),
        description=_description(description),
        quantity=_quantity(quantity),
        customer_id=_customer(customer) if customer else None,
        at=_date(at, form),
        price=_price(price),
        amount=_amount(price, quantity),
    )


@_recurring
def _invoice(text: str) -> str:
    _must(_INVOICE, text, "invoice number")
    return intern(text)


@_recurring
def _code(text: str) -> str:
    if _CALCULATED.fullmatch(text):
        raise _Fault(f"a stock code that a spreadsheet made a number of: {text[:40]!r}")
    _must(_CODE, text, "stock code")
    return intern(text)


@_recurring
def _description(text: str) -> str:
    if text in _ERRORS:
        raise _Fault(f"a spreadsheet's error for a description: {text}")
    if len(text) > DESCRIPTION_MAX or not is_shown(text):
        raise _Fault(f"the description is longer than {DESCRIPTION_MAX} characters or not printable")
    return intern(text)


@_recurring
def _quantity(text: str) -> int:
    units = int(_must(_QUANTITY, text, "quantity").group(1))
    if units == 0 or abs(units) > QUANTITY_MAX:
        raise _Fault(f"the quantity {units} is 0 or beyond {QUANTITY_MAX:,}")
    return units


@_recurring
def _customer(text: str) -> str:
    return intern(_must(_CUSTOMER, text, "customer").group(1))


def _date(text: str, form: DateForm) -> datetime:
    moment = read_date(text, form)
    if moment is None:
        raise _Fault(f"no date: {text[:40]!r}" if text else "no date")
    return moment


@_recurring
def _price(text: str) -> UnitPrice:
    _must(_PRICE, text, "unit price")
    return UnitPrice(Decimal(text) + 0, CURRENCY)  # no negative zero


@_recurring
def _amount(price: str, quantity: str) -> int:
    return _price(price).times(_quantity(quantity)).amount


def _must(form: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = form.fullmatch(text)
    if match is None:
        raise _Fault(f"no {what}: {text[:40]!r}" if text else f"no {what}")
    return match
