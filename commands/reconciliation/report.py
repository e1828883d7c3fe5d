"""Stripe's itemized balance report, `balance_change_from_activity.itemized.6`: reading it, and writing one.

A line is one balance transaction. Its `gross`, `fee` and `net` are in the currency that we are paid out in;
what the customer saw is `customer_facing_amount`, in theirs. Amounts are decimals in major units.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from aggregates.currencies import MINOR_DIGITS
from aggregates.kernel import Money

NEEDED = (
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "customer_facing_amount",
    "customer_facing_currency",
    "charge_id",
    "payment_intent_id",
    "payment_metadata[order]",
)
OPTIONAL = (
    "available_on_utc",
    "automatic_payout_id",
    "dispute_reason",
    "payment_metadata[step]",
    "refund_metadata[credit_note]",
    "refund_metadata[step]",
)
COLUMNS = (*NEEDED, *OPTIONAL)

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_GROUPED = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")


class MalformedReport(Exception):  # noqa: N818
    """The file is no such report, or one of its lines does not fit; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One balance transaction; amounts in minor units of `currency`, above zero where we are paid."""

    transaction: str
    created: datetime  # UTC
    category: str  # charge, refund, refund_failure, dispute, dispute_reversal, fee, payout …
    currency: str  # of settlement
    gross: int
    fee: int = 0
    source: str = ""  # what moved: a charge, a refund, a dispute, a payout
    facing: Money | None = None  # what the customer saw, of charges and refunds
    charge: str = ""
    payment: str = ""  # the payment intent
    order: str = ""  # our metadata of the payment, from here on
    step: str = ""
    credit_note: str = ""  # our metadata of the refund, from here on
    refund_step: str = ""
    available: datetime | None = None  # UTC
    payout: str = ""
    dispute_reason: str = ""
    number: int = field(default=0, compare=False)  # in the file, from 1

    @property
    def net(self) -> int:
        """What the balance changed by."""
        return self.gross - self.fee

    @property
    def bears_our_metadata(self) -> bool:
        """Whether we made it, or what it belongs to."""
        return bool(self.order or self.step or self.credit_note or self.refund_step)


def read_report(path: Path) -> Iterator[Line]:
    """The report's lines, one at a time. Raises MalformedReport and OSError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = csv.reader(file, strict=True)
        number = 1
        try:
            columns = _columns(next(records, []))
            seen: set[str] = set()
            number = records.line_num + 1
            for record in records:
                if record:
                    line = _line(_cells(record, columns), number)
                    if line.transaction in seen:
                        raise ValueError(f"{line.transaction} is there a second time")  # noqa: TRY301
                    seen.add(line.transaction)
                    yield line
                number = records.line_num + 1
        except UnicodeDecodeError as error:
            raise MalformedReport(f"after line {number - 1}: not UTF-8 text") from error
        except (csv.Error, ValueError) as error:
            raise MalformedReport(f"line {number}: {error}") from error


def balance_report(lines: Iterable[Line]) -> Iterator[str]:
    """The report's text, piece by piece: the header first, then each line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for record in _records(lines):
        writer.writerow(record)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def major(amount: int, currency: str) -> Decimal:
    """An amount of minor units in major ones: 1299 GBP is 12.99."""
    return Decimal(amount).scaleb(-MINOR_DIGITS[currency])


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where each column stands."""
    names = [name.strip() for name in header]
    if missing := [name for name in NEEDED if name not in names]:
        raise ValueError(f"no itemized balance report: it lacks the columns {', '.join(missing)}")
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise ValueError(f"the column {twice[0]} is there twice")
    return {name: names.index(name) for name in COLUMNS if name in names} | {"": len(names)}


def _cells(record: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    """The values by column; of a column that the file lacks the empty one."""
    if len(record) != columns[""]:
        raise ValueError(f"{len(record)} values under {columns['']} columns")
    return {name: record[columns[name]].strip() if name in columns else "" for name in COLUMNS}


def _line(cells: Mapping[str, str], number: int) -> Line:
    currency = _currency(cells["currency"], "currency")
    gross, fee, net = (_minor(cells[name], currency, name) for name in ("gross", "fee", "net"))
    if net != gross - fee:
        raise ValueError(f"net {cells['net']} is not gross {cells['gross']} less fee {cells['fee']}")
    facing = None
    if cells["customer_facing_amount"]:
        seen_in = _currency(cells["customer_facing_currency"], "customer_facing_currency")
        amount = _minor(cells["customer_facing_amount"], seen_in, "customer_facing_amount")
        facing = Money(amount, seen_in)
    if not cells["balance_transaction_id"] or not cells["reporting_category"]:
        raise ValueError("no balance_transaction_id or reporting_category")
    available = cells["available_on_utc"]
    return Line(
        transaction=cells["balance_transaction_id"],
        created=_moment(cells["created_utc"], "created_utc"),
        category=cells["reporting_category"],
        currency=currency,
        gross=gross,
        fee=fee,
        source=cells["source_id"],
        facing=facing,
        charge=cells["charge_id"],
        payment=cells["payment_intent_id"],
        order=cells["payment_metadata[order]"],
        step=cells["payment_metadata[step]"],
        credit_note=cells["refund_metadata[credit_note]"],
        refund_step=cells["refund_metadata[step]"],
        available=_moment(available, "available_on_utc") if available else None,
        payout=cells["automatic_payout_id"],
        dispute_reason=cells["dispute_reason"],
        number=number,
    )


def _currency(text: str, column: str) -> str:
    code = text.upper()
    if code not in MINOR_DIGITS:
        raise ValueError(f"{column} {text!r} is no currency")
    return code


def _minor(text: str, currency: str, column: str) -> int:
    """Minor units, of a text with a dot, with a decimal comma, or with its thousands grouped.

    What could be either (1,299 in a currency of three decimals) is refused.
    """
    digits = MINOR_DIGITS[currency]
    plain = text
    if _GROUPED.fullmatch(text) and ("." in text or digits != 3 or text.count(",") > 1):
        plain = text.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(text) and not _GROUPED.fullmatch(text):
        plain = text.replace(",", ".")
    if not _PLAIN.fullmatch(plain):
        raise ValueError(f"{column} {text!r} is no amount")
    minor = Decimal(plain).scaleb(digits)
    if minor != minor.to_integral_value():
        raise ValueError(f"{column} {text} is finer than {currency} has coins")
    return int(minor)


def _moment(text: str, column: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{column} {text!r} is no time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _records(lines: Iterable[Line]) -> Iterator[Sequence[str]]:
    yield COLUMNS
    for line in lines:
        cells = {
            "balance_transaction_id": line.transaction,
            "created_utc": _written(line.created),
            "currency": line.currency.lower(),
            "gross": f"{major(line.gross, line.currency):f}",
            "fee": f"{major(line.fee, line.currency):f}",
            "net": f"{major(line.net, line.currency):f}",
            "reporting_category": line.category,
            "source_id": line.source,
            "charge_id": line.charge,
            "payment_intent_id": line.payment,
            "payment_metadata[order]": line.order,
            "payment_metadata[step]": line.step,
            "refund_metadata[credit_note]": line.credit_note,
            "refund_metadata[step]": line.refund_step,
            "automatic_payout_id": line.payout,
            "dispute_reason": line.dispute_reason,
        }
        if line.facing is not None:
            cells["customer_facing_amount"] = f"{major(line.facing.amount, line.facing.currency):f}"
            cells["customer_facing_currency"] = line.facing.currency.lower()
        if line.available is not None:
            cells["available_on_utc"] = _written(line.available)
        yield [cells.get(column, "") for column in COLUMNS]


def _written(moment: datetime) -> str:
    """As Stripe writes times; to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
