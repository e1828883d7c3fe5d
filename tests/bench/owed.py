"""20,000 orders that wait for an operator: a page, the metrics and the commands, by time and memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from commands.operator.owed import OwedTotals, read_owed
from commands.processes.following import checkpoint_of
from commands.processes.owed import NEVER, STUCK, TO_SHOP, Owed
from event_store.postgres.log import PostgresLog
from event_store.progress import OpenWork
from event_store.records import Entry, NewEvent, RecordedEvent
from tests.bench.server import own_postgres
from tests.payments.deciding import ORDER, Desk, drain, standing
from tests.payments.stored import stored
from tests.payments.test_rules import HOLD, fulfil

ORDERS = 20_000
AT_ONCE = 500
RUN = """
import resource, sys
from daybook import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF)[:3], file=sys.stderr)
"""


def main() -> None:
    """Prints the figures."""
    with own_postgres() as server, tempfile.TemporaryDirectory() as folder:
        log = PostgresLog.open(server.url)
        begun = time.perf_counter()
        fill(log)
        print(f"{ORDERS:,} orders, {log.head():,} events, written in {time.perf_counter() - begun:.0f} s")
        _figure("a page of 100", lambda: read_owed(log, limit=100))
        _figure("a page of 100, amid", lambda: read_owed(log, after=log.head() // 2, limit=100))
        _figure("a page of 1,000", lambda: read_owed(log, limit=1_000))
        totals = OwedTotals(log)
        _figure("metrics, at first", totals.read, times=1)
        _figure("metrics, later", totals.read)
        for words in (
            ("payments", "owed"),
            ("processes", "list", "owed", "--limit", "1000"),
            ("processes", "show", "owed", f"{_name(ORDERS - 1)}/1"),
        ):
            _command(server.url, folder, *words)
        log.close()


def fill(log: PostgresLog) -> None:
    """Orders whose goods are gone and whose capture was refused: money owed to the shop, and a stuck call."""
    history = _one_order()
    said = max(at for at, one in enumerate(history, 1) if one.type == "payments.owed_changed")
    for first in range(0, ORDERS, AT_ONCE):
        numbers, before = range(first, first + AT_ONCE), first * len(history)
        log.append([_entry(history, number) for number in numbers])
        assert log.save_progress(
            checkpoint_of(Owed()),
            after=before or None,
            position=before + AT_ONCE * len(history),
            opened=[
                OpenWork(_name(number), aspect, NEVER, number * len(history) + said)
                for number in numbers
                for aspect in (TO_SHOP, STUCK)
            ],
            closed=[],
        )


def _one_order() -> list[RecordedEvent]:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2, "expired_card")
    drain(desk, standing(authorized=1299))
    written = stored(desk).log.read_all(after=0, limit=1_000)
    return [one for one in written if one.stream.endswith(ORDER) and not one.stream.startswith("cart")]


def _entry(history: list[RecordedEvent], number: int) -> Entry:
    old, new = ORDER, _name(number)
    events = [
        NewEvent(
            one.stream.replace(old, new),
            one.type,
            one.schema_number,
            one.data.replace(old.encode(), new.encode()),
        )
        for one in history
    ]
    return Entry(
        command_id=uuid4(),
        name="fill",
        verdict="accepted",
        reads={event.stream: 0 for event in events},
        events=events,
        actor="system:bench",
        channel="import",
    )


def _name(number: int) -> str:
    return f"{number:032x}"


def _figure(what: str, do: Callable[[], Any], *, times: int = 5) -> None:
    seconds, used = [], []
    for _ in range(times):
        begun, before = time.perf_counter(), time.process_time()
        do()
        seconds.append(time.perf_counter() - begun)
        used.append(time.process_time() - before)
    print(f"{what:<22} {min(seconds) * 1000:8.1f} ms, {min(used) * 1000:.1f} ms of it ours")


def _command(url: str, folder: str, *words: str) -> None:
    environment = {"DAYBOOK_POSTGRES_URL": url, "DAYBOOK_DATA_DIR": folder, "PATH": ""}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], env=environment, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - begun
    user, system, kilobytes = (float(part) for part in done.stderr.split("(")[-1].rstrip(")\n").split(","))
    print(
        f"daybook {' '.join(words)[:40]:<40} {seconds:.1f} s ({user + system:.1f} s of our CPU),"
        f" {kilobytes / 1024:.0f} MB, {len(done.stdout.splitlines()):,} lines"
    )
