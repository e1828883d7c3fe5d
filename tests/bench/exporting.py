"""An export beside reading the same log and doing nothing with it, and beside PostgreSQL's own COPY; then how
soon questions about the files are answered.

The log is the year of `online_retail.csv.gz` of DAYBOOK_DATASETS (../shared/data), or DAYBOOK_POSTGRES_URL's;
without either, one story over and over.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

import psycopg

from docs.examples.plots import ask, tour
from event_store.history import LIMIT_MAX
from event_store.postgres.log import PostgresLog
from replays.duckdb.questions import Questions
from replays.export.export import export
from replays.export.folder import Folder
from replays.export.manifest import Manifest
from tests.bench.catalogues import ONLINE_RETAIL
from tests.bench.server import own_postgres
from tests.kafka.many_events import append_many

EVENTS = 300_000
ROUNDS = 3

QUESTIONS = {
    "orders by month": "SELECT date_trunc('month', placed_at), count(*), sum(net) FROM orders GROUP BY 1",
    "cohorts": "FROM cohorts",
    "funnel": "FROM funnel",
    "stock by SKU": "SELECT sku, sum(on_hand) FROM stock_movements GROUP BY 1",
    "best sellers": "SELECT sku, sum(quantity) FROM lines GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    "customers' value": "FROM customer_value LIMIT 10",
    "events by type": "SELECT type, count(*) FROM events GROUP BY 1",
}


def main() -> None:
    """Prints the figures."""
    with _log() as (url, log), tempfile.TemporaryDirectory() as name:
        head = log.head()
        exported, read, copied = [], [], []
        for number in range(ROUNDS):  # in turns, so that what else the machine does falls on everyone
            exported.append(head / _timed(partial(export, log, Folder(f"{name}/{number}"))))
            read.append(head / _timed(lambda: _read(log)))
            copied.append(head / _timed(lambda: _copy(url)))
        rate, ceiling = statistics.median(exported), statistics.median(read)
        print(f"export of {head:,} events: {rate:,.0f} events/s   to reach 100,000")
        print(f"reading the log alone: {ceiling:,.0f} events/s; the export has {rate / ceiling:.2f} of it")
        print(f"COPY of the rows: {statistics.median(copied):,.0f} events/s")
        folder = Folder(f"{name}/0")
        _ask(folder, export(log, folder))


def _ask(folder: Folder, manifest: Manifest) -> None:
    began = time.perf_counter()
    with Questions(folder, manifest) as questions:
        print(
            f"a session opens in {time.perf_counter() - began:.2f} s; each question, the median of {ROUNDS}:"
        )
        for name, sql in (QUESTIONS | {f"the tour's {name}": sql for name, sql in tour().items()}).items():
            seconds = statistics.median(_timed(partial(ask, questions, sql)) for _ in range(ROUNDS))
            print(f"{seconds:8.3f} s  {name}")


@contextmanager
def _log() -> Iterator[tuple[str, PostgresLog]]:
    given = os.environ.get("DAYBOOK_POSTGRES_URL")
    if given is not None:
        with closing(PostgresLog.open(given, read_only=True)) as log:
            yield given, log
        return
    with own_postgres() as server:
        if ONLINE_RETAIL.exists():
            environment = os.environ | {"DAYBOOK_POSTGRES_URL": server.url}
            with tempfile.TemporaryDirectory() as data:
                command = [sys.executable, "-m", "daybook", "import", "online-retail", str(ONLINE_RETAIL)]
                subprocess.run(
                    [*command, "--data", data], env=environment, stdout=subprocess.DEVNULL, check=True
                )
        with closing(PostgresLog.open(server.url)) as log:
            if not ONLINE_RETAIL.exists():
                append_many(log, EVENTS)
            yield server.url, log


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _read(log: PostgresLog) -> None:
    after = 0
    while events := log.read_all(after=after, limit=LIMIT_MAX):
        after = events[-1].position


def _copy(url: str) -> None:
    copying = "COPY (SELECT * FROM daybook.events ORDER BY position) TO STDOUT (FORMAT BINARY)"
    with psycopg.connect(url) as connection, connection.cursor().copy(copying) as rows:
        for _ in rows:
            pass
