"""What an append costs as the log grows, from ten thousand to ten million events: for `make proofs`.

One server holds a log of each size, and rounds go from one to the next, so that what else the machine does
falls on all of them. A round appends batches: half of the commands to new streams, half to recent ones, as a
shop does with its carts and orders. Beside it, the same with old streams from all over the log, so that every
look-up and every index entry goes to another page.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import psycopg

from event_store.ids import new_id
from event_store.postgres.log import PostgresLog
from tests.bench import ours
from tests.bench.figure import draw
from tests.bench.server import cpu_seconds, own_postgres, writing_backend

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000,1000000,10000000").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "12"))
FIGURE = Path("docs/figures/sizes.svg")
BATCH, BATCHES = 64, 6  # In all rounds no more than the smallest log has: it would not stay small.
RECENT_EVENTS = 10_000
RECENT, ANY = "new and recent streams", "new and any old streams"

# A cart gets ten events, and a new one is opened every second.
FILL = """
WITH made AS (
    SELECT n, lpad(to_hex(%(begun)s::bigint + (n - 1) / 10), 8, '0') || md5(((n - 1) / 10)::text) AS cart_id,
           mod(n - 1, 10) + 1 AS version
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), written AS (
    INSERT INTO events (position, stream, version, type, schema_number, data, command_id, actor, recorded_at)
    SELECT n, 'cart-' || cart_id, version, 'cart.item_added', 1,
           convert_to(format('{"cart_id":"%%s","line_id":"%%s","sku":"mug","title":"%%s","quantity":1,'
                             '"unit_price":{"exact":"12.345","currency":"GBP"}}',
                             cart_id, version, repeat('z', 150)), 'UTF8'),
           (lpad(to_hex(n), 12, '0') || md5(n::text)::varchar(20))::uuid, 'anonymous:', now()
      FROM made
    RETURNING position, command_id, recorded_at
)
INSERT INTO commands (command_id, name, verdict, actor, channel, arguments, answer, first_position,
                      last_position, recorded_at)
SELECT command_id, 'add_item', 'accepted', 'anonymous:', 'web', '{}', '{}', position, position, recorded_at
  FROM written
"""

Cost = tuple[float, float]
"""µs an append takes in all, and of the server's CPU."""


def main() -> None:
    """Prints the curves and draws them."""
    costs: dict[tuple[str, int], list[Cost]] = defaultdict(list)
    with own_postgres() as server, ExitStack() as logs:
        grown: dict[int, tuple[PostgresLog, int]] = {}
        for size in SIZES:
            log = logs.enter_context(ours.open_log(server.url))
            fill(server.url, log, size)
            log.append([ours.command({f"cart-{new_id()}": 0})])
            grown[size] = (log, writing_backend(server.url))
            print(f"a log of {size:,} events is there", flush=True)
        for _ in range(ROUNDS):
            for which in (RECENT, ANY):
                for size, (log, pid) in grown.items():
                    costs[which, size] += _append(log, pid, recent=which == RECENT)
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (which, size), each in costs.items():
        wall, cpu = (statistics.median(part) for part in zip(*each, strict=True))
        lines[which].append((size, wall))
        if which == RECENT:
            lines["the server's CPU, recent streams"].append((size, cpu))
        print(f"{which:<24} {size:>12,} events: {wall:5.1f} µs an append, of it {cpu:5.1f} the server's CPU")
    draw(FIGURE, f"An append, in batches of {BATCH}", "events in the log", "µs", lines)
    print(f"plot: {FIGURE}")


def fill(url: str, log: PostgresLog, size: int) -> None:
    """Makes the log so long, with the events and commands of carts; much faster than appends."""
    begun = int(time.time()) - size // 10
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {log.schema}".encode())
        connection.execute("SET synchronous_commit = off")
        for first in range(log.head() + 1, size + 1, 100_000):
            page = {"begun": begun, "first": first, "last": min(first + 99_999, size)}
            connection.execute(FILL.encode(), page)
        connection.execute("VACUUM ANALYZE events, commands")
        connection.execute("CHECKPOINT")


def _append(log: PostgresLog, pid: int, *, recent: bool) -> list[Cost]:
    """What each of a round's batches cost."""
    head = log.head()
    if recent:
        old = log.read_all(after=max(0, head - RECENT_EVENTS), limit=RECENT_EVENTS)
    else:
        old = [
            event
            for _ in range(BATCHES * BATCH)
            for event in log.read_all(after=random.randrange(head), limit=1)
        ]
    streams = list({event.stream for event in old})
    random.shuffle(streams)
    versions = {s: events[-1].version for s, events in log.read_streams(streams).items()}
    costs = []
    for _ in range(BATCHES):
        reads = {stream: versions.pop(stream) for stream in list(versions)[: BATCH // 2]}
        reads |= {f"cart-{new_id()}": 0 for _ in range(BATCH - len(reads))}
        entries = [ours.command({stream: version}) for stream, version in reads.items()]
        cpu, begun = cpu_seconds(pid), time.perf_counter()
        log.append(entries)
        took = time.perf_counter() - begun
        costs.append((took / BATCH * 1e6, (cpu_seconds(pid) - cpu) / BATCH * 1e6))
    return costs
