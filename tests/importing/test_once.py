"""Once for ever: an import that is repeated, stopped, killed, or followed by another file."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from aggregates.catalog.events import ProductDelisted, ProductListed
from aggregates.inventory.events import StockReceived
from aggregates.kernel import Money
from aggregates.orders.events import CreditNoteIssued, LinesReturned, OrderPlaced
from commands.handlers.catalog import DelistProduct
from commands.handlers.fulfilment import ReturnLines
from commands.handlers.inventory import AdjustStock
from commands.handlers.registry import HANDLERS
from commands.importing.online_retail.accounts import Count
from commands.importing.online_retail.handlers import IMPORT_HANDLERS
from commands.importing.online_retail.identity import Identity
from commands.importing.online_retail.recording import Credited, RecordCancellation, StandAloneCredit
from commands.importing.running import import_file
from commands.loop.decision import Actor, Context
from commands.loop.handling import Handling
from event_store.errors import StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from tests.importing.faults import FailingLog, InterruptedLog
from tests.importing.files import SMALL, run, streams, written
from tests.importing.test_sales_of_elsewhere import sale
from tests.shop.facts import CODEC
from tests.shop.log import events_of


def test_importing_again_changes_nothing_and_gives_the_same_account(log: EventLog, tmp_path: Path) -> None:
    first = run(log, SMALL, tmp_path)
    head = log.head()
    packed = tmp_path / "again.csv.gz"
    packed.write_bytes(gzip.compress(SMALL.read_bytes()))
    again = run(log, packed, tmp_path)
    assert log.head() == head
    assert first.written == 15
    assert again.written == 0
    assert again.account == first.account


@pytest.mark.parametrize("after_writing", [False, True])
def test_stopped_anywhere_and_started_again_it_ends_the_same(tmp_path: Path, after_writing: bool) -> None:
    complete = MemoryLog()
    expected = run(complete, SMALL, tmp_path)
    for appends in count(1):
        log = FailingLog()
        log.left, log.after_writing = appends, after_writing
        try:
            run(log, SMALL, tmp_path, chunk_events=1)
        except StoreUnavailable:
            log.left = None
            result = run(log, SMALL, tmp_path)
            assert streams(log) == streams(complete), f"stopped at append {appends}"
            assert result.account == expected.account
        else:
            break
    assert appends > 30  # products, stock and invoices, one after another


@pytest.mark.slow
def test_killed_half_way_and_started_again_it_ends_the_same(
    fresh_postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, *generated_lines(6_000))
    complete = MemoryLog()
    run(complete, path, tmp_path)
    log = PostgresLog.open(fresh_postgres)
    command = [sys.executable, "-m", "daybook", "import", "online-retail", str(path), "--data", str(tmp_path)]
    with subprocess.Popen(
        command, env={**os.environ, "DAYBOOK_POSTGRES_URL": fresh_postgres}, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while log.head() < complete.head() // 3 and time.monotonic() < deadline:
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert 0 < log.head() < complete.head()
    assert events_of(log, CreditNoteIssued)  # far enough for cancellations to be matched anew
    adds_up = import_file(path, postgres_url=lambda: fresh_postgres, data_dir=tmp_path, read_url=None)
    assert adds_up
    assert log.head() == complete.head()
    assert streams(log) == streams(complete)
    log.close()
    assert "Every line is accounted for, to the penny." in capsys.readouterr().out


def test_a_second_file_goes_on_where_the_first_ended(log: EventLog, tmp_path: Path) -> None:
    lines = SMALL.read_text().splitlines()[1:]
    half = next(at for at, line in enumerate(lines) if line.startswith("C900012"))
    run(log, written(tmp_path, *lines[:half]), tmp_path)
    result = run(log, SMALL, tmp_path)
    assert result.account.adds_up
    assert result.written == 6
    notes = [
        event.amount.amount for event in events_of(log, CreditNoteIssued) if event.number[:7] == "C900012"
    ]
    assert notes == [1000, 1530, 230]  # matched to sales of the first file
    complete = MemoryLog()
    run(complete, SMALL, tmp_path)
    # The second file's later sale needs nothing: what came back is there to be sold.
    assert [(e.sku, e.quantity) for e in events_of(log, StockReceived)] == [
        (e.sku, e.quantity) for e in events_of(complete, StockReceived)
    ]


def test_units_that_others_took_meanwhile_are_received_with_the_sale(tmp_path: Path) -> None:
    def take(log: EventLog) -> None:
        handle(log, AdjustStock(sku="70002", delta=-5, reason="broken"))

    log = InterruptedLog("record_sale", take)
    result = run(log, SMALL, tmp_path, chunk_events=1)
    assert result.account.adds_up
    opening, topped_up = events_of(log, StockReceived, sku="70002")
    assert (opening.quantity, topped_up.quantity) == (11, 5)
    assert topped_up.source == f"online-retail:{result.outline.digest}:900009"


@pytest.mark.parametrize("number_is_borne", [False, True])
def test_what_an_operator_took_back_meanwhile_is_not_returned_twice(
    tmp_path: Path, number_is_borne: bool
) -> None:
    def take_back(log: EventLog) -> None:
        order_id = Identity(log.installation_secret()).order("900003")
        handle(log, ReturnLines(order_id=order_id, return_id="r", restock=True, reason="", lines={"1": 4}))

    log = InterruptedLog("record_cancellation", take_back)
    if number_is_borne:
        handle(log, sale("b" * 32, "900003"))
    result = run(log, SMALL, tmp_path, chunk_events=1)
    assert result.account.adds_up
    later = Identity(log.installation_secret()).order("900003")
    returned = [
        part.quantity for event in events_of(log, LinesReturned, order_id=later) for part in event.lines
    ]
    assert returned == [4, 1]
    notes = [
        event.amount.amount for event in events_of(log, CreditNoteIssued) if event.number[:7] == "C900012"
    ]
    assert sum(notes) == 12 * 230


def test_what_an_operator_made_of_a_product_stays(log: EventLog, tmp_path: Path) -> None:
    run(log, SMALL, tmp_path)
    handle(log, DelistProduct(sku="70001", reason="gone"))
    lines = SMALL.read_text().splitlines()[1:]
    more = written(tmp_path, *lines, "900020,70001,TIN WHISTLE,7,2011-07-01 09:00:00,0.5,100.0,Spain")
    assert run(log, more, tmp_path).written == 1
    assert len(events_of(log, ProductListed, sku="70001")) == 1
    assert len(events_of(log, ProductDelisted, sku="70001")) == 1


def test_an_invoice_that_is_in_the_log_with_other_lines_is_told(log: EventLog, tmp_path: Path) -> None:
    lines = SMALL.read_text().splitlines()[1:]
    run(log, written(tmp_path, *lines[1:]), tmp_path)
    result = run(log, SMALL, tmp_path)
    assert not result.account.adds_up
    assert list(result.account.differing) == ["900001"]


def test_a_cancellation_that_is_in_the_log_with_other_lines_is_told(log: EventLog, tmp_path: Path) -> None:
    lines = SMALL.read_text().splitlines()[1:]
    half = next(at for at, line in enumerate(lines) if line.startswith("C900012"))
    run(log, written(tmp_path, *lines[:half], *lines[half + 1 :]), tmp_path)
    result = run(log, SMALL, tmp_path)
    assert not result.account.adds_up
    assert list(result.account.differing) == ["C900012"]


@pytest.mark.parametrize("name", ["record_sale", "record_cancellation", "record_adjustments"])
def test_what_another_import_wrote_meanwhile_is_not_written_again(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"

    def import_too(log: EventLog) -> None:
        run(log, SMALL, elsewhere)

    log = InterruptedLog(name, import_too)
    result = run(log, SMALL, tmp_path, chunk_events=1)
    complete = MemoryLog()
    run(complete, SMALL, tmp_path)
    assert result.account.adds_up
    assert streams(log) == streams(complete)


def test_a_cancellation_is_written_once_however_it_would_be_matched_now(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    head = log.head()
    note_id = Identity(log.installation_secret()).credit_note("C900012", 1)
    line = Credited(nth=1, sku="70001", title="TIN WHISTLE", quantity=12, amount=Money(2760, "GBP"))
    alone = StandAloneCredit(credit_note_id=note_id, number="C900012", lines=[line], charges=[])
    again = RecordCancellation(
        number="C900012",
        customer_id="100",
        currency="GBP",
        on_orders=[],
        alone=alone,
        issued_on=date(2011, 3, 5),
    )
    handle(log, again)
    assert log.head() == head


def test_damaged_lines_are_skipped_counted_and_listed_and_the_rest_is_imported(
    log: EventLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = SMALL.read_text().splitlines()[1:]
    lines.insert(3, '900001,70001,"TIN,1,2011-03-01 09:00:00,1.0,100.0,Spain')
    lines.append("900099,70001,TIN WHISTLE,one,2011-03-01 09:00:00,2.55,100.0,Spain")
    result = run(log, written(tmp_path, *lines), tmp_path)
    assert result.account.adds_up
    assert result.account.row("damaged")[0] == result.account.row("damaged")[2] == Count(2, 0)
    assert len(events_of(log, OrderPlaced)) == 8
    told_of = capsys.readouterr().err
    assert "line 5 is damaged and skipped: the line is not CSV: unexpected end of data" in told_of
    assert "line 45 is damaged and skipped: no quantity: 'one'" in told_of


def handle(log: EventLog, command: Any) -> None:
    """As another process would."""

    async def one() -> None:
        async with Handling(log, CODEC, {**HANDLERS, **IMPORT_HANDLERS}) as handling:
            await handling.handle(command, Context(actor=Actor("operator"), channel="api"))

    asyncio.run(one())


def generated_lines(number: int) -> Iterator[str]:
    """Invented invoices of ten lines each, every fifth a cancellation, to some dozens of customers."""
    chance = Random(1)
    for nth in range(number // 10):
        cancels = nth % 5 == 4
        customer = f"{chance.randrange(100, 130)}.0"
        at = datetime(2011, 1, 1, 8) + timedelta(minutes=nth)
        for _ in range(10):
            code, price = chance.randrange(70000, 70080), chance.randrange(1, 999) / 1000
            units = -chance.randrange(1, 5) if cancels else chance.randrange(1, 20)
            invoice = f"{'C' if cancels else ''}{910000 + nth}"
            yield f"{invoice},{code},THING {code},{units},{at},{price},{customer},Spain"
