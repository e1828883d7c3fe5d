"""One shop's books in two editions: an invoice counts once for ever, whichever has it first."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregates.inventory.events import StockAdjusted
from aggregates.orders.events import CreditNoteIssued, OrderPlaced
from commands.importing.online_retail.accounts import Count
from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from tests.importing.files import SMALL, run, written
from tests.importing.workbooks import row, workbook
from tests.shop.log import events_of

SMALL_LINES = SMALL.read_text().replace('"STRING, GARDEN"', "STRING GARDEN").splitlines()[1:]
BEFORE = "800001,70001,TIN WHISTLE,2,2010-03-01 09:00:00,2.55,100.0,Spain"


def later_edition(folder: Path, first: list[str], second: list[str]) -> Path:
    """A workbook of two years' sheets."""
    sheets = {"Year 2009-2010": map(row, first), "Year 2010-2011": map(row, second)}
    return workbook(folder / "online_retail_II.xlsx", sheets)


def test_invoices_of_both_editions_count_once_for_ever(log: EventLog, tmp_path: Path) -> None:
    first = run(log, written(tmp_path, *SMALL_LINES), tmp_path)
    placed = events_of(log, OrderPlaced)
    credited = events_of(log, CreditNoteIssued)
    adjusted = events_of(log, StockAdjusted)
    # The first sheet goes on until the second has begun; the second is the year of the first edition.
    second = run(log, later_edition(tmp_path, [BEFORE, *SMALL_LINES[:15]], SMALL_LINES), tmp_path)
    assert second.account.adds_up
    assert (second.written, second.invoices) == (1, first.invoices + 1)
    assert second.account.row("repeated")[0].lines == 15
    assert second.account.row("repeated")[0] == second.account.row("repeated")[2]
    assert [event.number for event in events_of(log, OrderPlaced)] == [
        *(event.number for event in placed),
        "800001",
    ]
    assert (events_of(log, CreditNoteIssued), events_of(log, StockAdjusted)) == (credited, adjusted)
    for label in ("products sold", "stock adjustments", "discounts credited"):
        more = Count(1, 510) if label == "products sold" else Count()
        before, now = first.account.row(label)[1], second.account.row(label)[1]
        assert (now.lines, now.pence) == (before.lines + more.lines, before.pence + more.pence)


def test_the_later_edition_alone_is_the_earlier_ones_books(tmp_path: Path) -> None:
    one, other = MemoryLog(), MemoryLog()
    run(one, written(tmp_path, *SMALL_LINES), tmp_path)
    run(other, later_edition(tmp_path, SMALL_LINES[:20], SMALL_LINES[15:]), tmp_path)
    assert len(events_of(one, OrderPlaced)) == 8
    for kind, content in {
        OrderPlaced: lambda event: (event.number, event.placed_on, event.lines, event.charges, event.total),
        CreditNoteIssued: lambda event: (event.number, event.amount, event.lines, event.charges),
        StockAdjusted: lambda event: event,
    }.items():
        assert [content(event) for event in events_of(one, kind)] == [
            content(event) for event in events_of(other, kind)
        ]


def test_how_an_invoice_differs_between_editions_is_named(log: EventLog, tmp_path: Path) -> None:
    run(log, written(tmp_path, *SMALL_LINES), tmp_path)
    head = log.head()
    more = [
        *SMALL_LINES,
        "900003,POST,POSTAGE,1,2011-03-02 11:00:00,18.0,100.0,France",  # one line more
        "C900013,70004A,PAPER LANTERN,-1,2011-03-05 10:00:00,1.05,,United Kingdom",
    ]
    swapped = [line.replace("900017,70001", "900017,70002") for line in more]  # other goods at the same price
    result = run(log, written(tmp_path, *swapped), tmp_path)
    assert not result.account.adds_up
    assert result.account.differing == {
        "900003": "shipping charges 1 line 18.00 in the file, 0 lines 0.00 in the log",
        "C900013": "70004A returned: 3 for 3.15 in the file, 2 for 2.10 in the log",
        "900017": "products sold are other goods",
    }
    assert log.head() - head <= 3  # opening stock at most: nothing of an invoice is written twice
    assert result.written == 0


def test_adjustments_in_another_order_or_with_one_more_are_done_once_each(
    log: EventLog, tmp_path: Path
) -> None:
    lines = [line for line in SMALL_LINES if line.startswith("900006,7")]
    run(log, written(tmp_path, *lines[1:]), tmp_path)
    run(log, written(tmp_path, *lines), tmp_path)
    result = run(log, written(tmp_path, *reversed(lines)), tmp_path)
    assert sorted((event.sku, event.delta) for event in events_of(log, StockAdjusted)) == [
        ("70001", 7),
        ("70005", -12),
        ("70005", -1),
    ]
    assert result.account.adds_up
    assert result.written == 0


@pytest.mark.parametrize("end", [[], ["900099,70001,LATE,1,2011-12-09 12:00:00,1.0,,UK"]])
def test_two_years_joined_in_one_text_count_once_where_they_overlap(
    log: EventLog, tmp_path: Path, end: list[str]
) -> None:
    joined = [BEFORE, *SMALL_LINES[:20], *SMALL_LINES[:], *end]
    result = run(log, written(tmp_path, *joined), tmp_path)
    assert result.account.adds_up
    assert result.account.row("repeated")[0].lines == 20
    assert result.outline.parts.again == 7
    once = MemoryLog()
    run(once, written(tmp_path, BEFORE, *SMALL_LINES, *end), tmp_path)
    assert sorted(event.number for event in events_of(log, OrderPlaced)) == sorted(
        event.number for event in events_of(once, OrderPlaced)
    )


def test_equal_lines_of_one_invoice_are_lines_each_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    line = "{},70001,TIN WHISTLE,1,2011-03-{:02d} 09:00:00,2.55,100.0,Spain"
    days = [(900001, 1), (900002, 5), (900001, 1), (900002, 5), (900003, 1), (900001, 1)]
    log = MemoryLog()
    result = run(log, written(tmp_path, *(line.format(*day) for day in days)), tmp_path)
    assert result.outline.parts.again == 0
    assert [len(event.lines) for event in events_of(log, OrderPlaced)] == [3, 2, 1]


def test_a_line_dated_too_late_makes_no_second_copy_of_what_follows(tmp_path: Path) -> None:
    line = "{},70001,TIN WHISTLE,1,2011-03-{:02d} 09:00:00,2.55,100.0,Spain"
    days = [(900001, 1), (900002, 9), (900001, 1), (900003, 2)]
    log = MemoryLog()
    run(log, written(tmp_path, *(line.format(*day) for day in days)), tmp_path)
    assert [len(event.lines) for event in events_of(log, OrderPlaced)] == [2, 1, 1]
