"""What an append costs as the log grows, from ten thousand to ten million events: for `make proofs`."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from uuid import uuid4

import psycopg

from event_store.postgres_log import PostgresLog
from tests.bench import ours
from tests.bench.figure import draw
from tests.bench.server import own_postgres

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000,1000000,10000000").split(",")]
FIGURE = Path("docs/figures/sizes.svg")
BATCH, BATCHES = 64, 60

FILL = """
WITH made AS (
    SELECT n, md5(((n - 1) / 10)::text) AS cart_id, mod(n - 1, 10) + 1 AS version
      FROM generate_series(%s::bigint, %s::bigint) AS n
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


def main() -> None:
    """Prints the curve and draws it."""
    curve: list[tuple[float, float]] = []
    server_cpu: list[tuple[float, float]] = []
    with own_postgres() as server, ours.open_log(server.url) as log:
        for size in SIZES:
            fill(server.url, log, size)
            wall, cpu = _append(server.url, log)
            curve.append((size, wall))
            server_cpu.append((size, cpu))
            print(
                f"{size:>12,} events: {wall:6.1f} µs an append, of it {cpu:5.1f} µs CPU of the server",
                flush=True,
            )
    lines = {"time": curve, "CPU of the server": server_cpu}
    draw(FIGURE, f"An append (batches of {BATCH}, new and old streams)", "events in the log", "µs", lines)
    print(f"plot: {FIGURE}")


def fill(url: str, log: PostgresLog, size: int) -> None:
    """Makes the log so long, with the events and commands of carts; much faster than appends."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {log.schema}".encode())
        connection.execute("SET synchronous_commit = off")
        for first in range(log.head() + 1, size + 1, 100_000):
            connection.execute(FILL.encode(), [first, min(first + 99_999, size)])
        connection.execute("VACUUM ANALYZE events, commands")
        connection.execute("CHECKPOINT")


def _append(url: str, log: PostgresLog) -> tuple[float, float]:
    """Median µs an append takes in all, and of the server's CPU; every second goes to an old stream."""
    log.append([ours.command({f"cart-{uuid4().hex}": 0})])
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND application_name = 'daybook'",
            ["SELECT append%"],
        ).fetchone()
    assert row is not None
    times, used = [], []
    for _ in range(BATCHES):
        old = log.read_all(
            after=int.from_bytes(os.urandom(6), "big") % max(1, log.head() - 5_000), limit=5_000
        )
        streams = list({event.stream for event in old})[: BATCH // 2]
        versions = {s: events[-1].version for s, events in log.read_streams(streams).items()}
        versions |= {f"cart-{uuid4().hex}": 0 for _ in range(BATCH - len(versions))}
        entries = [ours.command({stream: version}) for stream, version in versions.items()]
        cpu, begun = _cpu(row[0]), time.perf_counter()
        log.append(entries)
        times.append((time.perf_counter() - begun) / BATCH * 1e6)
        used.append((_cpu(row[0]) - cpu) / BATCH * 1e6)
    return statistics.median(times), statistics.median(used)


def _cpu(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
