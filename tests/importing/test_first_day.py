"""A real shop's first day, where the data sets are at hand, held against sums of the file alone."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from aggregates.orders.events import OrderPlaced
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from projections.documents.shapes import SalesDocument, SalesRow
from projections.views.sales import VIEW
from tests.importing.files import FIRST_DAY, run
from tests.shop.facts import CODEC
from tests.shop.log import events_of

pytestmark = pytest.mark.skipif(
    not FIRST_DAY.is_file(), reason="DAYBOOK_DATASETS names no folder with online_retail/"
)
OUTSIDE = {"S", "BANK CHARGES", "AMAZONFEE", "CRUK", "B"}
GROSS, RETURNS = 58_960_79, 325_23  # the data set's own day, worked out by hand


def rows_of_file() -> list[dict[str, str]]:
    with gzip.open(FIRST_DAY, "rt", newline="") as file:
        return list(csv.DictReader(file))


def pence(row: dict[str, str]) -> int:
    exact = int(row["Quantity"]) * Decimal(row["UnitPrice"]) * 100
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def sales_rows(log: EventLog) -> dict[str, SalesRow]:
    """The dashboard's rows by day, from the projection alone."""
    documents: dict[str, SalesDocument] = {}
    after = 0
    while page := log.read_all(after=after, limit=5_000):
        for recorded in page:
            event = CODEC.decode(recorded)
            if type(event) in VIEW.events:
                for key, fact in VIEW.facts(event, recorded):
                    documents[key] = VIEW.evolve(key, documents.get(key), fact, recorded)
        after = page[-1].position
    return {day: document.rows[0] for day, document in documents.items()}


def test_the_sales_dashboard_agrees_with_the_file_to_the_penny(tmp_path: Path) -> None:
    log = MemoryLog()
    result = run(log, FIRST_DAY, tmp_path)
    gross, returns = 0, 0
    for row in rows_of_file():
        if row["StockCode"] not in OUTSIDE:
            if row["InvoiceNo"].startswith("C"):
                returns -= pence(row)
            else:
                gross += pence(row)
    assert (gross, returns) == (GROSS, RETURNS)
    [(day, shown)] = sales_rows(log).items()
    assert (day, shown.currency) == ("2010-12-01", "GBP")
    assert (shown.gross, shown.returns, shown.net) == (gross, returns, gross - returns)
    assert result.account.adds_up
    assert sum(count.lines for count in result.account.file.values()) == len(rows_of_file()) == 3_108


def test_every_order_has_its_invoices_lines_and_sum(tmp_path: Path) -> None:
    log = MemoryLog()
    run(log, FIRST_DAY, tmp_path)
    lines: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    products: Counter[str] = Counter()
    for row in rows_of_file():
        if row["StockCode"] not in OUTSIDE and not row["InvoiceNo"].startswith("C"):
            lines[row["InvoiceNo"]] += 1
            sums[row["InvoiceNo"]] += pence(row)
            if row["StockCode"] not in {"POST", "DOT", "C2", "M", "m", "D"}:
                products[row["InvoiceNo"]] += 1
    placed = {event.number: event for event in events_of(log, OrderPlaced)}
    adjusting = {number for number, total in sums.items() if total == 0}
    assert set(placed) == set(lines) - adjusting
    for number, event in placed.items():
        assert len(event.lines) == products[number]
        assert len(event.lines) + len(event.charges) == lines[number]
        assert event.total.amount == sums[number]


def test_the_first_day_is_imported_into_postgresql(fresh_postgres: str, tmp_path: Path) -> None:
    log = PostgresLog.open(fresh_postgres)
    assert run(log, FIRST_DAY, tmp_path).account.adds_up
    log.close()
