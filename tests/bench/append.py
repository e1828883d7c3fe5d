"""The append beside its peers: one PostgreSQL, one run, rounds interleaved, medians taken."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from pathlib import Path

from event_store.postgres.log import PostgresLog
from tests.bench import ours, peers
from tests.bench.figure import draw
from tests.bench.load import Report
from tests.bench.server import Server, own_postgres

CALLERS = (1, 8, 64, 256, 1024)
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
FIGURE = Path("docs/figures/append.svg")

Run = Callable[[], Report]

OURS = "Daybook, tasks of one loop"
OURS_THREADS = "Daybook, threads"
DOOR = "Daybook through the library's door"
PLAIN, PLAIN_TWO, PGBENCH = "plain INSERT, threads", "plain INSERT, 2 processes", "plain INSERT, pgbench"
LIBRARY, FASTER = "eventsourcing, default", "eventsourcing, functions"
COPY, BARE_COPY = "COPY into such a table", "COPY into a bare table"
FOUR, KEYED, NO_JOURNAL = "Daybook, 4 streams a command", "Daybook, with keys", "Daybook without the journal"
ONE_PROCESS, TWO_PROCESSES = "Daybook, 1 process aside", "Daybook, 2 processes aside"

Case = tuple[str, int]


def cases(server: Server) -> dict[Case, Run]:
    """Every contender with every number of callers it is measured at."""
    url = server.url
    found: dict[Case, Run] = {}
    for n in CALLERS:
        found[OURS, n] = lambda n=n: _on_log(url, lambda log: ours.tasks(log, n, SECONDS))  # type: ignore[misc]
        found[OURS_THREADS, n] = lambda n=n: _on_log(url, lambda log: ours.threads(log, n, SECONDS))  # type: ignore[misc]
    for n in (1, 8, 64):
        found[PLAIN, n] = lambda n=n: peers.plain_threads(url, n, SECONDS)  # type: ignore[misc]
        found[PGBENCH, n] = lambda n=n: peers.pgbench(server, n, SECONDS)  # type: ignore[misc]
        found[DOOR, n] = lambda n=n: ours.library_door(url, n, SECONDS)  # type: ignore[misc]
    for n in (1, 8, 64, 256):
        found[LIBRARY, n] = lambda n=n: peers.library(url, n, SECONDS, functions=False)  # type: ignore[misc]
        found[FASTER, n] = lambda n=n: peers.library(url, n, SECONDS, functions=True)  # type: ignore[misc]
    found[PLAIN_TWO, 64] = lambda: peers.plain_processes(url, 64, SECONDS)
    found[FOUR, 64] = lambda: _on_log(url, lambda log: ours.tasks(log, 64, SECONDS, streams=4))
    found[KEYED, 64] = lambda: _on_log(url, lambda log: ours.tasks(log, 64, SECONDS, keyed=True))
    found[NO_JOURNAL, 64] = lambda: _on_log(url, lambda log: ours.tasks(log, 64, SECONDS), journal=False)
    found[ONE_PROCESS, 64] = lambda: _aside(url, 1)
    found[TWO_PROCESSES, 128] = lambda: _aside(url, 2)
    found[COPY, 1] = lambda: peers.copy_events(url, SECONDS, into_log=True)
    found[BARE_COPY, 1] = lambda: peers.copy_events(url, SECONDS, into_log=False)
    return found


def main() -> None:
    """Prints the table and the ratios, and draws the plot."""
    with own_postgres() as server:
        peers.make_plain_table(server.url)
        runs = cases(server)
        reports: dict[Case, list[Report]] = {case: [] for case in runs}
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}, load average {os.getloadavg()[0]:.1f}", flush=True)
            for case, run in runs.items():
                reports[case].append(run())
    rates = {case: statistics.median(r.rate for r in each) for case, each in reports.items()}
    _print_ratios(rates)
    print(f"\n| {'who':<36} | callers | events/s | p50 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: |")
    for (name, callers), each in reports.items():
        p50, p99 = (statistics.median(r.percentile(part) for r in each) for part in (0.5, 0.99))
        events = rates[name, callers] * (4 if name == FOUR else 1)
        if name in (COPY, BARE_COPY):
            print(f"| {name:<36} |         | {events:>8,.0f} |        |        |")
        else:
            print(f"| {name:<36} | {callers:>7} | {events:>8,.0f} | {p50:>6.2f} | {p99:>6.2f} |")
    drawn = (OURS, OURS_THREADS, DOOR, PLAIN, PGBENCH, FASTER, LIBRARY)
    lines = {who: [(n, rates[name, n]) for name, n in rates if name == who] for who in drawn}
    draw(FIGURE, "Durable appends of one 300-byte event", "callers", "events per second", lines)
    print(f"plot: {FIGURE}")


def _print_ratios(rates: dict[Case, float]) -> None:
    plain = max(rate for (name, _), rate in rates.items() if name in (PLAIN, PLAIN_TWO, PGBENCH))
    faster = max(rate for (name, _), rate in rates.items() if name == FASTER)
    for name, ratio, target in (
        ("64 callers / plain INSERTs at their best", rates[OURS, 64] / plain, 1.5),
        ("64 callers / the library's faster mode", rates[OURS, 64] / faster, 7),
        ("1,024 callers / COPY into such a table", rates[OURS, 1024] / rates[COPY, 1], 0.2),
        ("1,024 callers / COPY into a bare table", rates[OURS, 1024] / rates[BARE_COPY, 1], 0.2),
        ("one caller / one plain INSERT, same driver", rates[OURS_THREADS, 1] / rates[PLAIN, 1], 0.75),
        ("library's door, 64 threads / faster mode", rates[DOOR, 64] / faster, 3),
        ("four-stream events / one-event rate", 4 * rates[FOUR, 64] / rates[OURS, 64], 0.5),
        ("two processes / one", rates[TWO_PROCESSES, 128] / rates[ONE_PROCESS, 64], 1),
        ("with the journal / without", rates[OURS, 64] / rates[NO_JOURNAL, 64], 0),
    ):
        print(f"{name:<46} {ratio:6.2f}" + (f"   to reach {target}" if target else ""))


def _on_log(url: str, measure: Callable[[PostgresLog], Report], *, journal: bool = True) -> Report:
    with ours.open_log(url, journal=journal) as log:
        return measure(log)


def _aside(url: str, number: int) -> Report:
    with ours.open_log(url) as log:
        report = ours.processes(url, log.schema, number, 64 * number, SECONDS)
        after = 0
        while page := log.read_all(after=after, limit=10_000):  # LogGap unless positions are contiguous
            after = page[-1].position
        return report
