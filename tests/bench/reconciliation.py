"""A balance report of 100,000 lines against a log that has the payments: time and memory."""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
import tracemalloc
from pathlib import Path

from commands.importing.progress import Progress
from commands.reconciliation.report import balance_report, read_report
from commands.reconciliation.running import Reconciliation, reconcile
from event_store.postgres.log import PostgresLog
from tests.bench import ours
from tests.bench.server import own_postgres
from tests.payments.reported import NOVEMBER, OCTOBER, lines_of, many, write_log

PAYMENTS = 91_000
"""With their refunds and disputes a little more than 100,000 lines."""


def main() -> None:
    """Prints the figures."""
    payments = list(many(PAYMENTS))
    lines = lines_of(payments)
    with own_postgres() as server, ours.open_log(server.url) as log, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.csv"
        with file.open("w", newline="") as text:
            text.writelines(balance_report(lines))
        write_log(log, payments)
        del payments, lines
        begun, used = time.perf_counter(), time.process_time()
        count = sum(1 for _ in read_report(file))
        print(f"read alone:  {count:,} lines in {time.perf_counter() - begun:.1f} s")
        begun, used = time.perf_counter(), time.process_time()
        found = _reconciled(file, log)
        print(
            f"reconciled:  {found.report.lines:,} lines in {time.perf_counter() - begun:.1f} s"
            f" ({time.process_time() - used:.1f} s of our CPU), {len(found.left):,} left   to reach 60 s"
        )
        tracemalloc.start()
        _reconciled(file, log)
        print(f"memory:      {tracemalloc.get_traced_memory()[1] / 2**20:.0f} MB at the most")


def _reconciled(file: Path, log: PostgresLog) -> Reconciliation:
    progress = Progress(io.StringIO())
    return asyncio.run(reconcile(file, log, since=OCTOBER, until=NOVEMBER, progress=progress))
