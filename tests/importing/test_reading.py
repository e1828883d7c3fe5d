"""Reading a file: what a line says, what is damaged, and what is no such file at all."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from commands.importing.invoices import Invoice, group
from commands.importing.online_retail import Damaged, Line, NotOnlineRetail, outline, parse_line, read_lines
from tests.importing.given import HEADER, SMALL, written

GOOD = "900001,70001,TIN WHISTLE,6,2011-03-01 09:00:00,2.55,100.0,United Kingdom"


def parsed(text: str) -> Line | Damaged:
    return parse_line(7, text.encode())


def test_a_line_says_what_was_sold_to_whom_and_when() -> None:
    line = parsed('536365,85123A,"HEART, WHITE  ",6,2010-12-01 08:26:00,2.555,17850.0,United Kingdom\r\n')
    assert isinstance(line, Line)
    assert (line.number, line.invoice, line.code, line.description) == (7, "536365", "85123A", "HEART, WHITE")
    assert (line.quantity, line.price.exact, line.customer_id) == (6, Decimal("2.555"), "17850")
    assert line.at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_times_are_those_of_a_clock_in_london() -> None:
    line = parsed(GOOD.replace("2011-03-01 09:00:00", "2011-06-01 00:30:00"))
    assert isinstance(line, Line)
    assert line.at == datetime(2011, 5, 31, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("price", "quantity", "pence"),
    [
        ("0.125", 1, 12),
        ("0.125", 3, 38),
        ("0.335", 1, 34),
        ("0.345", 1, 34),
        ("0.125", -1, -12),
        ("0.001", 1, 0),
    ],
)
def test_a_line_comes_to_pence_rounded_half_even(price: str, quantity: int, pence: int) -> None:
    line = parsed(GOOD.replace(",2.55,", f",{price},").replace(",6,", f",{quantity},"))
    assert isinstance(line, Line)
    assert line.amount == pence


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("900001,70001,TIN WHISTLE,6", "4 columns instead of 8"),
        (GOOD + ",more", "9 columns instead of 8"),
        ("", "0 columns instead of 8"),
        (GOOD.replace("900001", ""), "no invoice number"),
        (GOOD.replace("900001", "X900001"), "no invoice number: 'X900001'"),
        (GOOD.replace("70001", "70 001"), "no stock code: '70 001'"),
        (GOOD.replace("70001", ""), "no stock code"),
        (GOOD.replace(",6,", ",six,"), "no quantity: 'six'"),
        (GOOD.replace(",6,", ",0,"), "the quantity 0 is 0 or beyond 10,000,000"),
        (GOOD.replace(",6,", ",10000001,"), "the quantity 10000001 is 0 or beyond 10,000,000"),
        (GOOD.replace(",6,", ",١,"), "no quantity: '١'"),
        (GOOD.replace("2011-03-01", "2011-02-30"), "no date: '2011-02-30 09:00:00'"),
        (GOOD.replace("2011-03-01 09", "2011-03-01T09"), "no date: '2011-03-01T09:00:00'"),
        (GOOD.replace("2.55", "2,55"), "9 columns instead of 8"),
        (GOOD.replace("2.55", "NaN"), "no unit price: 'NaN'"),
        (GOOD.replace("2.55", "1e9"), "no unit price: '1e9'"),
        (GOOD.replace("100.0", "100.5"), "no customer: '100.5'"),
        (GOOD.replace("TIN WHISTLE", '"TIN WHISTLE'), "the line is not CSV: unexpected end of data"),
        (GOOD.replace("TIN", "TIN\x00"), "the description is longer than 200 characters or not printable"),
        (GOOD.replace("TIN", "T" * 201), "the description is longer than 200 characters or not printable"),
        (GOOD.replace("TIN", "T" * 5_000), "the line is longer than 4096 bytes"),
    ],
)
def test_a_damaged_line_is_told_with_its_number_and_reason(text: str, reason: str) -> None:
    line = parsed(text)
    assert isinstance(line, Damaged)
    assert (line.number, line.reason) == (7, reason)
    assert line.text == text[:200].replace("\x00", "\ufffd")


def test_a_line_in_another_encoding_is_damaged() -> None:
    line = parse_line(7, GOOD.replace("TIN", "CAFÉ").encode("latin-1"))
    assert isinstance(line, Damaged)
    assert line.reason == "the line is not UTF-8"


def test_damage_spares_the_lines_around_it(tmp_path: Path) -> None:
    unclosed = GOOD.replace("TIN WHISTLE", '"TIN WHISTLE')
    path = written(tmp_path, GOOD, unclosed, "x" * 1_000_000, GOOD.replace("900001", "900002"))
    found = list(read_lines(path))
    assert [type(line) for line in found] == [Line, Damaged, Damaged, Line]
    assert [line.number for line in found] == [2, 3, 4, 5]


def test_packed_or_not_the_content_is_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "small.csv.gz"
    packed.write_bytes(gzip.compress(SMALL.read_bytes()))
    assert outline(packed) == outline(SMALL)
    assert list(read_lines(packed)) == list(read_lines(SMALL))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"InvoiceNo;StockCode;Description\n1;2;3\n", "the header is to be"),
        (b"%PDF-1.7\n\x00\xff\xfe", "the header is to be"),
        ((HEADER + ",Extra\n").encode(), "the header is to be"),
        (b"\x1f\x8b\x00 not really", "the gzip packing is broken after line 0"),
        (
            gzip.compress((HEADER + "\n" + GOOD + "\n").encode() * 1_000, mtime=0)[:-20],
            "the gzip packing is broken",
        ),
        (gzip.compress(b"PK\x03\x04", mtime=0), "the header is to be"),
    ],
)
def test_another_format_is_refused_as_a_whole(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(content)
    with pytest.raises(NotOnlineRetail, match=reason) as refusal:
        outline(path)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_lines_of_invoices_that_interleave_come_together_in_the_order_of_the_first() -> None:
    found = outline(SMALL)
    invoices = [item for item in group(read_lines(SMALL), found.last_line) if isinstance(item, Invoice)]
    voucher, ashtray = (item for item in invoices if item.number in {"900004", "900005"})
    assert [line.code for line in voucher.lines] == ["gift_0001_20", "PADS"]
    assert [line.code for line in ashtray.lines] == ["DCGS0003", "C2"]
    assert voucher.at == datetime(2011, 3, 2, 12, 0, tzinfo=UTC)  # its first line's
    assert [item.lines[0].number for item in invoices] == sorted(item.lines[0].number for item in invoices)
    assert found.lines == 42


def test_a_line_of_another_customer_does_not_belong_to_the_invoice(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, GOOD.replace("100.0", "200.0"))
    invoice, damaged = sorted(
        group(read_lines(path), outline(path).last_line), key=lambda i: isinstance(i, Damaged)
    )
    assert isinstance(invoice, Invoice)
    assert isinstance(damaged, Damaged)
    assert len(invoice.lines) == 1
    assert (damaged.number, damaged.reason) == (3, "customer 200 on an invoice of customer 100")
