"""Reading a file: what a line says, what is damaged, and what is no such file at all."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from commands.importing.online_retail.invoices import Invoice, group
from commands.importing.online_retail.records import Line, Repeated, read_lines
from commands.importing.reading.reading import Outline, read_file
from commands.importing.reading.refusals import Damaged, NotOnlineRetail
from tests.importing.files import HEADER, SMALL, read_through, written

GOOD = "900001,70001,TIN WHISTLE,6,2011-03-01 09:00:00,2.55,100.0,United Kingdom"
SECOND = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"


def read(path: Path) -> Sequence[Line | Repeated | Damaged]:
    with read_file(path) as reading:
        return list(read_lines(reading))


def outline(path: Path) -> Outline:
    with read_file(path) as reading:
        return reading.outline


def given(folder: Path, content: bytes | str, encoding: str = "utf-8") -> Path:
    path = folder / "given.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def parsed(folder: Path, text: str) -> Line | Damaged:
    """The one line of a file."""
    [line] = read(given(folder, f"{HEADER}\n{text}\n"))
    assert not isinstance(line, Repeated)
    return line


def line(folder: Path, text: str) -> Line:
    result = parsed(folder, text)
    assert isinstance(result, Line), result
    return result


def test_a_line_says_what_was_sold_to_whom_and_when(tmp_path: Path) -> None:
    item = line(
        tmp_path, '536365,85123A,"HEART, WHITE  ",6,2010-12-01 08:26:00,2.555,17850.0,United Kingdom\r\n'
    )
    assert (item.number, item.invoice, item.code, item.description) == (2, "536365", "85123A", "HEART, WHITE")
    assert (item.quantity, item.price.exact, item.customer_id) == (6, Decimal("2.555"), "17850")
    assert item.at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_times_are_those_of_a_clock_in_london(tmp_path: Path) -> None:
    item = line(tmp_path, GOOD.replace("2011-03-01 09:00:00", "2011-06-01 00:30:00"))
    assert item.at == datetime(2011, 5, 31, 23, 30, tzinfo=UTC)


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
def test_a_line_comes_to_pence_rounded_half_even(
    tmp_path: Path, price: str, quantity: int, pence: int
) -> None:
    item = line(tmp_path, GOOD.replace(",2.55,", f",{price},").replace(",6,", f",{quantity},"))
    assert item.amount == pence


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("900001,70001,TIN WHISTLE,6", "4 columns instead of 8"),
        (GOOD + ",more", "9 columns instead of 8"),
        (GOOD.replace("900001", ""), "no invoice number"),
        (GOOD.replace("900001", "X900001"), "no invoice number: 'X900001'"),
        (GOOD.replace("900001", "9.00001E+05"), "no invoice number: '9.00001E+05'"),
        (GOOD.replace("70001", "70 001"), "no stock code: '70 001'"),
        (GOOD.replace("70001", ""), "no stock code"),
        (GOOD.replace("70001", "2.2E+04"), "a stock code that a spreadsheet made a number of: '2.2E+04'"),
        (GOOD.replace("70001", "7E-04"), "a stock code that a spreadsheet made a number of: '7E-04'"),
        (GOOD.replace("70001", "70001.0"), "a stock code that a spreadsheet made a number of: '70001.0'"),
        (GOOD.replace("70001", "#N/A"), "no stock code: '#N/A'"),
        (GOOD.replace("TIN WHISTLE", "#NAME?"), "a spreadsheet's error for a description: #NAME?"),
        (GOOD.replace(",6,", ",six,"), "no quantity: 'six'"),
        (GOOD.replace(",6,", ",0,"), "the quantity 0 is 0 or beyond 10,000,000"),
        (GOOD.replace(",6,", ",-0,"), "the quantity 0 is 0 or beyond 10,000,000"),
        (GOOD.replace(",6,", ",10000001,"), "the quantity 10000001 is 0 or beyond 10,000,000"),
        (GOOD.replace(",6,", ",١,"), "no quantity: '١'"),
        (GOOD.replace(",6,", ",6.5,"), "no quantity: '6.5'"),
        (GOOD.replace(",6,", ",=3+3,"), "no quantity: '=3+3'"),
        (GOOD.replace(",6,", ",(6),"), "no quantity: '(6)'"),
        (GOOD.replace(",6,", ",−6,"), "no quantity: '−6'"),
        (GOOD.replace(",6,", ',"1,234",'), "no quantity: '1,234'"),
        (GOOD.replace(",6,", ",1\u00a0234,"), "no quantity: '1 234'"),
        (GOOD.replace("2011-03-01", "2011-02-30"), "no date: '2011-02-30 09:00:00'"),
        (GOOD.replace("2011-03-01 09:00:00", "40603.375"), "no date: '40603.375'"),
        (GOOD.replace("2011-03-01 09:00:00", ""), "no date"),
        (
            GOOD.replace("2011-03-01 09:00:00", "2011-03-01 09:00:00+02:00"),
            "no date: '2011-03-01 09:00:00+02:00'",
        ),
        (GOOD.replace("2.55", "2,55"), "9 columns instead of 8"),
        (GOOD.replace("2.55", '"1,234.50"'), "no unit price: '1,234.50'"),
        (GOOD.replace("2.55", "£2.55"), "no unit price: '£2.55'"),
        (GOOD.replace("2.55", "NaN"), "no unit price: 'NaN'"),
        (GOOD.replace("2.55", "1e9"), "no unit price: '1e9'"),
        (GOOD.replace("100.0", "100.5"), "no customer: '100.5'"),
        (GOOD.replace("100.0", "#N/A"), "no customer: '#N/A'"),
        (GOOD.replace("TIN WHISTLE", '"TIN WHISTLE'), "the line is not CSV: unexpected end of data"),
        (GOOD.replace("TIN", "TIN\x00"), "the description is longer than 200 characters or not printable"),
        (GOOD.replace("TIN", "T" * 201), "the description is longer than 200 characters or not printable"),
        (GOOD.replace("TIN", "T" * 5_000), "the line is longer than 4096 characters"),
    ],
)
def test_a_damaged_line_is_told_with_its_number_and_reason(tmp_path: Path, text: str, reason: str) -> None:
    item = parsed(tmp_path, text)
    assert isinstance(item, Damaged)
    assert (item.number, item.reason) == (2, reason)
    assert item.text.isprintable()
    assert 0 < len(item.text) <= 200


def test_a_price_of_negative_zero_is_zero(tmp_path: Path) -> None:
    assert str(line(tmp_path, GOOD.replace("2.55", "-0.0")).price.exact) == "0.0"


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f", "\t", "\u200b", "\ufeff"])
def test_spaces_of_any_kind_around_a_value_are_none_of_it(tmp_path: Path, space: str) -> None:
    plain = line(tmp_path, GOOD)
    spaced = ",".join(f"{space}{field}{space}" for field in GOOD.split(","))
    assert line(tmp_path, spaced) == plain


def test_text_is_nfc_and_blank_where_it_looks_blank(tmp_path: Path) -> None:
    assert line(tmp_path, GOOD.replace("TIN WHISTLE", "CAFE\u0301\u00a0 SET")).description == "CAFÉ SET"
    for blank in ("\u00a0", "\u200b", "\u2028", "\u3164", " \ufeff "):
        assert line(tmp_path, GOOD.replace("TIN WHISTLE", blank)).description == ""


def test_whole_numbers_that_a_spreadsheet_wrote_with_a_point_are_what_they_are(tmp_path: Path) -> None:
    assert line(tmp_path, GOOD.replace(",6,", ",6.0,")) == line(tmp_path, GOOD)


def test_decimal_commas_are_found_from_the_whole_file(tmp_path: Path) -> None:
    plain = GOOD.replace("2.55", "1.255")
    lines = [
        line.replace(",", ";").replace(".", ",") for line in (HEADER, plain, GOOD, GOOD.replace("2.55", "3"))
    ]
    path = given(tmp_path, "\n".join(lines))
    assert outline(path).description.endswith(", dates iso, decimal commas")
    found = read(path)
    assert [str(item.price.exact) for item in found if isinstance(item, Line)] == ["1.255", "2.55", "3"]
    assert {item.customer_id for item in found if isinstance(item, Line)} == {"100"}


@pytest.mark.parametrize("others", [(), ("2.55",), ("3", "1.234,50")])
def test_a_comma_that_may_part_thousands_is_no_number(tmp_path: Path, others: tuple[str, ...]) -> None:
    lines = [GOOD.replace(",", ";").replace("2.55", price) for price in ("1,255", *others)]
    first, *_ = read(given(tmp_path, "\n".join((HEADER.replace(",", ";"), *lines))))
    assert isinstance(first, Damaged)
    assert first.reason == "no unit price: '1,255'"


def test_damage_spares_the_lines_around_it(tmp_path: Path) -> None:
    unclosed = GOOD.replace("TIN WHISTLE", '"TIN WHISTLE')
    path = written(tmp_path, GOOD, unclosed, "x" * 1_000_000, GOOD.replace("900001", "900002"))
    found = read(path)
    assert [type(line) for line in found] == [Line, Damaged, Damaged, Line]
    assert [line.number for line in found if not isinstance(line, Repeated)] == [2, 3, 4, 5]


def test_a_quoted_line_break_stays_in_its_record_and_numbers_stay_true(tmp_path: Path) -> None:
    broken = GOOD.replace("TIN WHISTLE", '"TIN\n\n""WHISTLE"", RED"')
    found = read(written(tmp_path, broken, GOOD.replace(",6,", ",six,"), GOOD))
    assert isinstance(found[0], Line)
    assert found[0].description == 'TIN "WHISTLE", RED'
    assert [line.number for line in found if not isinstance(line, Repeated)] == [2, 5, 6]


def test_a_quote_that_is_never_closed_does_not_swallow_lines_up_to_the_next_quote(tmp_path: Path) -> None:
    unclosed = GOOD.replace("TIN WHISTLE", '"TIN WHISTLE')
    quoted = GOOD.replace("TIN WHISTLE", '"STRING, GARDEN"')
    found = read(written(tmp_path, unclosed, GOOD, quoted, GOOD))
    assert [type(line) for line in found] == [Damaged, Line, Line, Line]
    closing = GOOD.replace("TIN WHISTLE", 'WHISTLE"')  # both together would have eight columns
    assert [type(line) for line in read(written(tmp_path, unclosed, closing))] == [Damaged, Line]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_end_and_columns_are_parted_in_any_usual_way(tmp_path: Path, end: str, delimiter: str) -> None:
    lines = (HEADER, GOOD, '900001,70002,"STRING, ""GARDEN"""'.replace('"STRING, ', f'"STRING{delimiter} '))
    texts = [text.replace(",", delimiter) for text in lines]
    texts[2] += delimiter.join(("", "3", "2011-03-01 09:00:00", "0.125", "100.0", "Spain"))
    found = read(given(tmp_path, end.join(texts) + end))
    assert [(one.number, one.code) for one in found if isinstance(one, Line)] == [(2, "70001"), (3, "70002")]


def test_names_of_columns_may_differ_in_case_order_and_spaces(tmp_path: Path) -> None:
    names = " invoice ,STOCKCODE,\u00a0Description,Quantity,invoicedate,PRICE,Customer\u00a0ID,country"
    assert read(given(tmp_path, f"sep=,\n\n{names}\n\n{GOOD}\n,,,,,,,\n")) == [
        Line(5, *_rest(line(tmp_path, GOOD)))
    ]
    turned = ",".join(reversed(HEADER.split(",")))
    [item] = read(given(tmp_path, f"{turned}\n{','.join(reversed(GOOD.split(',')))}\n"))
    assert item == line(tmp_path, GOOD)


def test_a_header_that_comes_again_is_none_of_the_lines(tmp_path: Path) -> None:
    found = read(written(tmp_path, GOOD, f"\ufeff{SECOND}", GOOD))
    assert [line.number for line in found if isinstance(line, Line)] == [2, 4]
    turned = HEADER.replace("Quantity", "_").replace("UnitPrice", "Quantity").replace("_", "UnitPrice")
    with pytest.raises(NotOnlineRetail, match="columns go on in another order: InvoiceNo, StockCode, Desc"):
        read(written(tmp_path, GOOD, turned, GOOD))


def _rest(item: Line) -> tuple[object, ...]:
    return tuple(getattr(item, name) for name in Line.__slots__[1:])


@pytest.mark.parametrize(
    ("codec", "mark", "name"),
    [
        ("utf-8", b"", "UTF-8"),
        ("utf-8", b"\xef\xbb\xbf", "UTF-8 with mark"),
        ("cp1252", b"", "Windows-1252"),
        ("utf-16-le", b"", "UTF-16 LE without mark"),
        ("utf-16-be", b"", "UTF-16 BE without mark"),
        ("utf-16-le", b"\xff\xfe", "UTF-16 LE with mark"),
        ("utf-16-be", b"\xfe\xff", "UTF-16 BE with mark"),
    ],
)
def test_the_encoding_is_found_from_the_whole_file_and_named(
    tmp_path: Path, codec: str, mark: bytes, name: str
) -> None:
    lines = [GOOD] * 20_000 + [
        GOOD.replace("TIN WHISTLE", "VOUCHER\u00a0£10 – CAFÉ")
    ]  # what decides comes last
    path = given(tmp_path, mark + "\r\n".join((HEADER, *lines)).encode(codec))
    assert f", {name}, " in outline(path).description
    found = read(path)
    assert len(found) == 20_001
    assert isinstance(found[-1], Line)
    assert found[-1].description == "VOUCHER £10 – CAFÉ"


def test_a_line_of_another_encoding_than_the_file_is_damaged(tmp_path: Path) -> None:
    good, latin = GOOD.replace("TIN", "CAFÉ"), GOOD.replace("TIN", "THÉ")
    content = f"{HEADER}\n{good}\n".encode() + latin.encode("cp1252") + b"\n"
    first, second = read(given(tmp_path, content))
    assert isinstance(first, Line)
    assert isinstance(second, Damaged)
    assert (second.number, second.reason) == (3, "the line is not UTF-8")
    undefined = f"{HEADER}\n{GOOD}\n".encode() + latin.encode("cp1252").replace(b"\xc9", b"\x81") + b"\n"
    _, damaged = read(given(tmp_path, undefined))
    assert isinstance(damaged, Damaged)
    assert damaged.reason == "the line is not Windows-1252"
    halved = given(tmp_path, f"\ufeff{HEADER}\n{GOOD}\n{GOOD}".encode("utf-16-le")[:-1])
    _, damaged = read(halved)
    assert isinstance(damaged, Damaged)
    assert damaged.reason == "the line is not UTF-16 LE"


def test_packed_or_not_the_content_is_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "small.csv.gz"
    packed.write_bytes(gzip.compress(SMALL.read_bytes()))
    assert outline(packed) == outline(SMALL)
    assert read(packed) == read(SMALL)


def test_both_editions_say_the_same(tmp_path: Path) -> None:
    second = given(tmp_path, SMALL.read_text().replace(HEADER, SECOND))
    assert read(second) == read(SMALL)
    assert outline(second).description.startswith("Online Retail II, ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n\n \r\n", "nothing but blank lines"),
        (b"\xef\xbb\xbf", "nothing but blank lines"),
        (HEADER.encode(), "there is only a header"),
        (f"{HEADER}\n\n,,,,,,,\n".encode(), "there is only a header"),
        (
            b"InvoiceNo;StockCode;Menge\n1;2;3\n",
            "columns are InvoiceNo, StockCode, Menge; wanted are InvoiceNo, ",
        ),
        ((HEADER + ",Extra\n").encode(), "Country, Extra; wanted are InvoiceNo, .* or Invoice, "),
        (HEADER.replace("Country", "Quantity").encode(), r"\(Quantity stands there twice\)"),
        (b"%PDF-1.7\n\x00\xff\xfe", "is a PDF document"),
        (b"\n<!DOCTYPE html><html>", "is a page of HTML or XML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a workbook of before 2007"),
        (HEADER.encode("utf-32"), "is UTF-32"),
        (b"\x00" * 10_000, "its columns are"),
        (os.urandom(10_000).replace(b"\n", b"").replace(b"\r", b""), "not an Online Retail file|is |gzip"),
        (b"\x1f\x8b\x00 not really", "the gzip packing is broken"),
        (
            gzip.compress((HEADER + "\n" + GOOD + "\n").encode() * 1_000, mtime=0)[:-20],
            "the gzip packing is broken",
        ),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (gzip.compress(b"PK\x03\x04", mtime=0), "is a zip inside a gzip"),
        (b"PK\x03\x04 and no more", "the workbook is damaged"),
    ],
)
def test_another_format_is_refused_as_a_whole(tmp_path: Path, content: bytes, reason: str) -> None:
    path = given(tmp_path, content)
    with pytest.raises(NotOnlineRetail, match=reason) as refusal:
        read_through(path)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotOnlineRetail, match="is a directory"):
        read_through(tmp_path)
    with pytest.raises(NotOnlineRetail, match="there is no such file"):
        read_through(tmp_path / "none")
    with pytest.raises(NotOnlineRetail, match="is no ordinary file"):
        read_through(Path("/dev/zero"))
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as parts:
        parts.writestr("online_retail.csv", HEADER)
    with pytest.raises(NotOnlineRetail, match=r"a zip but no .xlsx \(in it: online_retail.csv\)"):
        read_through(archive)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0)
    account = os.geteuid()
    if account == 0:  # Nothing is forbidden to root.
        os.seteuid(65_534)
    try:
        with pytest.raises(NotOnlineRetail, match="permission denied"):
            read_through(path)
    finally:
        os.seteuid(account)


def test_lines_of_invoices_that_interleave_come_together_in_the_order_of_the_first() -> None:
    with read_file(SMALL) as reading:
        items = list(group(read_lines(reading), reading.outline.parts.last_line))
    invoices = [item for item in items if isinstance(item, Invoice)]
    voucher, ashtray = (item for item in invoices if item.number in {"900004", "900005"})
    assert [line.code for line in voucher.lines] == ["gift_0001_20", "PADS"]
    assert [line.code for line in ashtray.lines] == ["DCGS0003", "C2"]
    assert voucher.at == datetime(2011, 3, 2, 12, 0, tzinfo=UTC)  # its first line's
    assert [item.lines[0].number for item in invoices] == sorted(item.lines[0].number for item in invoices)
    assert reading.outline.lines == 42


def test_a_line_of_another_customer_does_not_belong_to_the_invoice(tmp_path: Path) -> None:
    with read_file(written(tmp_path, GOOD, GOOD.replace("100.0", "200.0"))) as reading:
        items = list(group(read_lines(reading), reading.outline.parts.last_line))
    invoice, damaged = sorted(items, key=lambda i: isinstance(i, Damaged))
    assert isinstance(invoice, Invoice)
    assert isinstance(damaged, Damaged)
    assert len(invoice.lines) == 1
    assert (damaged.number, damaged.reason) == (3, "customer 200 on an invoice of customer 100")
