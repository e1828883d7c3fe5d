"""Reading in order, and how soon and how cheaply a reader learns of an event."""

from __future__ import annotations

import os
import statistics
import threading
import time
from uuid import uuid4

import psycopg

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from tests.bench import ours
from tests.bench.server import own_postgres

EVENTS = 200_000
PAGE = 5_000
ROUNDS = 5

FILL = """
INSERT INTO events (position, stream, version, type, schema_number, data, command_id, correlation, actor,
                    recorded_at)
SELECT n, 'cart-' || cart_id, mod(n, 10) + 1, 'cart.quantity_changed', 1,
       convert_to('{"cart_id":"' || cart_id || '","line_id":"1","sku":"' || repeat('x', 186)
                  || '","quantity":' || n || '}', 'UTF8'),
       gen_random_uuid(), '0af7651916cd43dd8448eb211c80319c', 'anonymous:', now()
  FROM generate_series(%s::bigint, %s::bigint) AS n, LATERAL (SELECT md5((n / 10)::text) AS cart_id) AS cart
"""


def main() -> None:
    """Prints the figures."""
    with own_postgres() as server, ours.open_log(server.url) as log:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"SET search_path = {log.schema}".encode())
            connection.execute(FILL.encode(), [1, EVENTS])
            connection.execute("VACUUM ANALYZE events")
        _in_order(log)
        _tail(log)


def _in_order(log: PostgresLog) -> None:
    codec = Codec(EVENT_TYPES)
    raw, decoded, cpu = [], [], []
    for _ in range(ROUNDS):
        begun, used = time.perf_counter(), time.process_time()
        assert sum(len(page) for page in _pages(log)) == EVENTS
        raw.append(EVENTS / (time.perf_counter() - begun))
        cpu.append((time.process_time() - used) / EVENTS * 1e6)
        begun = time.perf_counter()
        for page in _pages(log):
            for recorded in page:
                codec.decode(recorded)
        decoded.append(EVENTS / (time.perf_counter() - begun))
    print(f"in order, raw:     {statistics.median(raw):>9,.0f} events/s   to reach 300,000")
    print(f"in order, decoded: {statistics.median(decoded):>9,.0f} events/s   to reach 150,000")
    print(f"the reader's own CPU: {statistics.median(cpu):.2f} µs an event")


def _pages(log: PostgresLog):  # type: ignore[no-untyped-def]
    after = 0
    while page := log.read_all(after=after, limit=PAGE):
        yield page
        after = page[-1].position


def _tail(log: PostgresLog) -> None:
    head = log.head()
    received_at: dict[int, float] = {}
    log.wait(after=head, timeout_seconds=0.3)
    last = head + 300

    def follow() -> None:
        after = head
        while after < last:
            after = log.wait(after=after, timeout_seconds=5)
            received_at.setdefault(after, time.perf_counter())

    reader = threading.Thread(target=follow)
    reader.start()
    latencies = []
    written: dict[int, float] = {}
    for _ in range(300):
        (outcome,) = log.append([ours.command({f"cart-{uuid4().hex}": 0})])
        written[outcome.last_position] = time.perf_counter()  # type: ignore[union-attr, index]
        time.sleep(0.01)
    reader.join()
    for position, at in written.items():
        received = min((t for p, t in received_at.items() if p >= position), default=float("inf"))
        latencies.append((received - at) * 1000)
    latencies.sort()
    print(
        f"a reader hears of an event after {latencies[150]:.1f} ms, p99 {latencies[296]:.1f} ms   to reach 20"
    )
    used, begun = os.times(), time.perf_counter()
    log.wait(after=log.head(), timeout_seconds=10)
    now = os.times()
    share = (now.user + now.system - used.user - used.system) / (time.perf_counter() - begun)
    print(f"one that waits in vain uses {share:.2%} of a core (the client's side)   to reach 1 %")
