"""The later edition as a workbook: cells are what they show, and what is no plain value is damage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from commands.importing.online_retail.records import Line, Repeated, read_lines
from commands.importing.reading.reading import read_file
from commands.importing.reading.refusals import Damaged, NotOnlineRetail
from tests.importing.files import SMALL, read_through
from tests.importing.workbooks import HEADER, row, with_part, workbook

GOOD = "900001,70001,TIN WHISTLE,6,2011-03-01 09:00:00,2.55,100.0,United Kingdom"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHEET = "xl/worksheets/sheet1.xml"


def read(path: Path) -> Sequence[Line | Repeated | Damaged]:
    with read_file(path) as reading:
        return list(read_lines(reading))


def one(folder: Path, **cells: Any) -> Line | Damaged:
    """The line of a sheet whose cells are the good ones but for these."""
    changed = [cells.get(name.replace(" ", ""), cell) for name, cell in zip(HEADER, row(GOOD), strict=True)]
    [item] = read(workbook(folder / "given.xlsx", {"Year": [changed]}))
    assert not isinstance(item, Repeated)
    return item


def test_a_row_says_what_its_line_of_text_does(tmp_path: Path) -> None:
    lines = SMALL.read_text().replace('"STRING, GARDEN"', "STRING GARDEN")
    text = tmp_path / "small.csv"
    text.write_text(lines)
    rows = [row(line) for line in lines.splitlines()[1:]]
    found = workbook(tmp_path / "small.xlsx", {"Year 2010-2011": rows})
    assert read(found) == read(text)
    with read_file(found) as reading:
        assert reading.outline.description == "Online Retail II, .xlsx, sheet 'Year 2010-2011', dates iso"
        assert reading.place(2) == "row 2"


@pytest.mark.parametrize(
    ("kept", "price"), [("2.5499999999999998", "2.55"), ("0.30000000000000004", "0.3"), ("1.8E1", "18")]
)
def test_numbers_are_what_a_spreadsheet_shows_of_them(tmp_path: Path, kept: str, price: str) -> None:
    path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)]})
    with_part(path, SHEET, ("<v>2.55</v>", f"<v>{kept}</v>"))
    [item] = read(path)
    assert isinstance(item, Line)
    assert item.price.exact == Decimal(price)
    assert (item.invoice, item.code, item.customer_id) == ("900001", "70001", "100")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Quantity": "=3+3"}, "a formula in D2: only what was written down is read"),
        ({"Price": "#N/A"}, "a spreadsheet's error in F2: #N/A"),
        ({"Description": "#REF!"}, "a spreadsheet's error in C2: #REF!"),
        ({"CustomerID": True}, "a yes or no in G2"),
        ({"StockCode": datetime(2011, 3, 1)}, "a date or time in B2, where none belongs"),
        ({"InvoiceDate": time(9, 0)}, "a date or time in E2, where none belongs"),
        ({"InvoiceDate": 40603.375}, "no date: '40603.375'"),
        ({"StockCode": 22423.5}, "a stock code that a spreadsheet made a number of: '22423.5'"),
        ({"StockCode": 1e20}, "a stock code that a spreadsheet made a number of: '1e+20'"),
        ({"Quantity": 6.5}, "no quantity: '6.5'"),
        ({"Price": 1 / 3}, "no unit price: '0.333333333333333'"),
        ({"Description": "T" * 30_000}, "the description is longer than 200 characters or not printable"),
        ({"Invoice": None}, "no invoice number"),
    ],
)
def test_a_cell_that_is_no_plain_value_damages_its_row(
    tmp_path: Path, cells: dict[str, Any], reason: str
) -> None:
    item = one(tmp_path, **cells)
    assert isinstance(item, Damaged)
    assert (item.number, item.reason) == (2, reason)
    assert item.text.isprintable()
    assert item.text


def test_texts_that_the_workbook_keeps_once_for_all_cells_are_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)] * 2})
    texts = "<si><r><t>TIN </t></r><r><rPr><b/></rPr><t>WHISTLE</t></r></si>"
    with_part(path, "xl/sharedStrings.xml", ("^", f'<sst xmlns="{MAIN}" count="2">{texts}</sst>'))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    kept = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    with_part(path, "[Content_Types].xml", ("</Types>", kept))
    with_part(path, SHEET, (r't="inlineStr"><is><t>TIN WHISTLE</t></is>', r't="s"><v>0</v>'))
    assert [line.description for line in read(path) if isinstance(line, Line)] == ["TIN WHISTLE"] * 2
    with_part(path, SHEET, ("<v>0</v></c>", "<v>7</v></c>"))
    with pytest.raises(NotOnlineRetail, match="the workbook is damaged"):
        read_through(path)


def test_text_cells_are_read_as_text_is(tmp_path: Path) -> None:
    item = one(tmp_path, Invoice=" 900001\u00a0", StockCode="085123A ", Quantity="6", CustomerID="100.0")
    assert isinstance(item, Line)
    assert (item.invoice, item.code, item.quantity, item.customer_id) == ("900001", "085123A", 6, "100")


def test_days_are_counted_from_the_workbooks_own_beginning(tmp_path: Path) -> None:
    for settings in ({}, {"epoch": CALENDAR_MAC_1904}):
        path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)]}, **settings)
        [item] = read(path)
        assert isinstance(item, Line)
        assert item.at == datetime(2011, 3, 1, 9, 0, tzinfo=UTC)


def test_a_moment_is_right_to_the_second_though_days_are_fractions(tmp_path: Path) -> None:
    path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)]})
    with_part(path, SHEET, ("<v>40603.375</v>", "<v>40603.374999994</v>"))
    [item] = read(path)
    assert isinstance(item, Line)
    assert item.at == datetime(2011, 3, 1, 9, 0, tzinfo=UTC)


def test_titles_above_the_header_and_blank_rows_are_passed_over(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Invoices of the year"])
    sheet.merge_cells("A1:H1")
    for cells in ([], HEADER, [], row(GOOD), [None, "  "], row(GOOD)):
        sheet.append(list(cells))
    book.save(tmp_path / "given.xlsx")
    found = read(tmp_path / "given.xlsx")
    assert [line.number for line in found if isinstance(line, Line)] == [5, 7]


def test_a_sheet_that_lies_about_its_size_is_read_whole(tmp_path: Path) -> None:
    for claimed in ("A1:A1", "A1:XFD1048576"):
        path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)] * 3})
        with_part(path, SHEET, ('<dimension ref="[^"]*"', f'<dimension ref="{claimed}"'))
        assert len(read(path)) == 3


def test_hidden_sheets_and_those_of_other_columns_are_named_and_not_read(tmp_path: Path) -> None:
    book = Workbook()
    for name in ("Year", "Old", "Notes"):
        sheet = book.create_sheet(name)
        sheet.append(["some", "thing"] if name == "Notes" else list(HEADER))
        sheet.append(row(GOOD))
    book["Old"].sheet_state = "hidden"
    book.remove(book.worksheets[0])
    book.save(tmp_path / "given.xlsx")
    with read_file(tmp_path / "given.xlsx") as reading:
        assert reading.outline.lines == 1
        assert (
            "hidden sheet 'Old' not read, sheet 'Notes' not read: other columns"
            in reading.outline.description
        )


def test_lines_of_an_invoice_in_two_sheets_count_once(tmp_path: Path) -> None:
    first = [GOOD.replace("900001", str(900001 + nth)) for nth in range(5)]
    first[3:3] = [first[2], first[2].replace(",6,", ",7,")]  # twice the same line, and another
    overlap = first[2:]
    later = [line.replace("900001", "900009") for line in first[:1]]
    path = workbook(
        tmp_path / "given.xlsx",
        {"Year 2009-2010": map(row, first), "Year 2010-2011": map(row, [*overlap, *later])},
    )
    found = read(path)
    assert [type(line) for line in found] == [Line] * 7 + [Repeated] * 5 + [Line]
    assert {line.reason for line in found if isinstance(line, Repeated)} == {
        "its invoice stands in sheet 'Year 2009-2010' too"
    }
    with read_file(path) as reading:
        assert (reading.outline.parts.again, reading.outline.parts.differing) == (3, set())
        assert reading.place(8) == "sheet 'Year 2009-2010', row 8"
        assert reading.place(10) == "sheet 'Year 2010-2011', row 2"


def test_an_invoice_that_one_sheet_has_more_of_is_complete_and_counts_once(tmp_path: Path) -> None:
    one_line, two, other = GOOD, GOOD.replace("70001", "70002"), GOOD.replace("900001", "900002")
    for sheets in ({"A": [one_line, other], "B": [one_line, two]}, {"A": [one_line, two, other], "B": [two]}):
        path = workbook(tmp_path / "given.xlsx", {name: map(row, lines) for name, lines in sheets.items()})
        with read_file(path) as reading:
            found = list(read_lines(reading))
            assert reading.outline.parts.differing == set()
        assert sorted(line.code for line in found if isinstance(line, Line)) == ["70001", "70001", "70002"]
        assert sum(isinstance(line, Repeated) for line in found) == 1


def test_an_invoice_that_differs_between_sheets_counts_as_it_first_stands_and_is_named(
    tmp_path: Path,
) -> None:
    six, seven = GOOD, GOOD.replace(",6,", ",7,")
    same, other = GOOD.replace("70001", "70002"), GOOD.replace("900001", "900002")
    path = workbook(
        tmp_path / "given.xlsx", {"A": map(row, [six, same, other]), "B": map(row, [same, seven, other])}
    )
    with read_file(path) as reading:
        found = list(read_lines(reading))
        assert reading.outline.parts.differing == {"900001"}
    assert [type(line) for line in found] == [Line] * 3 + [Repeated] * 3
    assert [line.reason for line in found if isinstance(line, Repeated)][1] == (
        "its invoice stands in sheet 'A' too, with other lines"
    )


def test_further_lines_that_a_third_sheet_repeats_count_once(tmp_path: Path) -> None:
    one_line, two, other = GOOD, GOOD.replace("70001", "70002"), GOOD.replace("900001", "900002")
    sheets = {"A": [one_line, other], "B": [two, one_line, other], "C": [one_line, two]}
    path = workbook(tmp_path / "given.xlsx", {name: map(row, lines) for name, lines in sheets.items()})
    assert sorted(line.code for line in read(path) if isinstance(line, Line)) == ["70001", "70001", "70002"]


def test_an_invoice_that_goes_on_in_the_next_sheet_is_one(tmp_path: Path) -> None:
    path = workbook(tmp_path / "given.xlsx", {"A": [row(GOOD)] * 2, "B": [row(GOOD)] * 3})
    assert [type(line) for line in read(path)] == [Line] * 5


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        (SHEET, ("</sheetData>.*", ""), "the workbook is damaged"),
        (SHEET, (r"<row r=\"2\"", '<row r="5000000"'), "has more than 1,048,576 rows"),
        ("xl/workbook.xml", ("<workbook .*", "<html>"), "the workbook is damaged"),
        (
            "[Content_Types].xml",
            ("spreadsheetml.sheet.main", "wordprocessingml.main"),
            "the workbook is damaged",
        ),
        (SHEET, ("<v>6</v>", "<v>six</v>"), "the workbook is damaged"),
    ],
)
def test_a_broken_workbook_is_refused_in_one_line(
    tmp_path: Path, part: str, change: tuple[str, str], reason: str
) -> None:
    path = with_part(workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)]}), part, change)
    with pytest.raises(NotOnlineRetail, match=reason) as refusal:
        read_through(path)
    assert str(refusal.value).isprintable()


def test_a_cut_workbook_and_one_without_the_columns_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)] * 50})
    complete = path.read_bytes()
    path.write_bytes(complete[: len(complete) // 2])
    with pytest.raises(NotOnlineRetail, match="the workbook is damaged"):
        read_through(path)
    book = Workbook()
    book.save(path)
    with pytest.raises(NotOnlineRetail, match="no visible sheet has any cells"):
        read_through(path)
    book.worksheets[0].append(["Invoice", "Menge"])
    book.save(path)
    with pytest.raises(NotOnlineRetail, match="its columns are Invoice, Menge; wanted are"):
        read_through(path)
    with pytest.raises(NotOnlineRetail, match="there is only a header"):
        read_through(workbook(path, {"Year": []}))


def test_a_workbook_that_would_unpack_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)]})
    with_part(path, "xl/styles.xml", ("^", " " * (33 << 20)))
    with pytest.raises(NotOnlineRetail, match=r"xl/styles.xml unpacks to 34,\d+,\d+ bytes"):
        read_through(path)
    path = workbook(tmp_path / "given.xlsx", {"Year": [row(GOOD)]})
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE w [<!ENTITY l0 "ha">{laughs}]><worksheet'
    with_part(path, SHEET, ("<worksheet", bomb))
    with_part(path, SHEET, ("TIN WHISTLE", "&l11;"))
    with pytest.raises(NotOnlineRetail, match="the workbook is damaged"):
        read_through(path)
