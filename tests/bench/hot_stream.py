"""One SKU that everybody wants: loading its stream, and selling it through the handling loop."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import structlog
import uvloop

from aggregates.event_types import EVENT_TYPES
from aggregates.inventory import stock
from aggregates.inventory.events import StockReceived
from commands.loop.decision import Actor, Context, Decision
from commands.loop.handling import Handling
from commands.loop.snapshots import Snapshots
from commands.loop.state_cache import StateCache
from deploy.local.logs.structured_logs import configure_logs
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from event_store.records import Entry
from tests.bench import ours
from tests.bench.load import Report
from tests.bench.server import own_postgres

BUYERS = 64
ROUNDS = 5
SECONDS = 2.0
STREAM = "stock-mug"
CODEC = Codec(EVENT_TYPES)
LATER = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=15)

FILL = """
INSERT INTO events (position, stream, version, type, schema_number, data, command_id, actor, recorded_at)
SELECT n, 'stock-mug', n, kind.name, 1, convert_to(kind.data, 'UTF8'), gen_random_uuid(), 'anonymous:', now()
  FROM generate_series(2, 100000) AS n,
       LATERAL (SELECT md5((n / 3)::text) AS order_id) AS bought,
       LATERAL (SELECT CASE n % 3 WHEN 0 THEN 'inventory.stock_reserved'
                                  WHEN 1 THEN 'inventory.reservation_confirmed'
                                  ELSE 'inventory.stock_dispatched' END AS name,
                       '{"sku":"mug","location":"main","quantity":1,"order_id":"' || bought.order_id || '"' ||
                       CASE n % 3 WHEN 0 THEN ',"expires_at":"2030-01-01T00:15:00Z"}'
                                  WHEN 1 THEN '}'
                                  ELSE ',"from_reservation":1}' END AS data) AS kind
 WHERE n > 2
 ORDER BY n
"""

UPDATE = b"UPDATE bench_stock SET available = available - 1 WHERE sku = %s AND available > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Set one unit aside."""

    name: ClassVar = "reserve"
    order_id: str


def handle_reserve(cache: StateCache, command: Reserve) -> Decision:
    """The inventory's own rule, as checkout applies it."""
    decision = Decision(id=command.order_id, stream=STREAM, created=True)
    decision.add(
        STREAM,
        stock.reserve(
            cache.state(STREAM), sku="mug", order_id=command.order_id, quantity=1, expires_at=LATER
        ),
    )
    return decision


def main() -> None:
    """Prints the figures."""
    configure_logs()
    with Path(os.devnull).open("wb") as nowhere, own_postgres() as server:
        # Every command's line is made, and thrown away.
        structlog.configure(logger_factory=structlog.BytesLoggerFactory(nowhere))
        _loading(server.url)
        _selling(server.url)


def _loading(url: str) -> None:
    with ours.open_log(url) as log:
        _receive(log, 1_000_000)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"SET search_path = {log.schema}".encode())
            connection.execute(FILL.replace("generate_series(2,", "generate_series(3,").encode())
            connection.execute(
                "UPDATE events SET version = version - 1, position = position - 1 WHERE position > 2"
            )
            connection.execute("VACUUM ANALYZE events")
        snapshots = Snapshots(log, CODEC)
        begun = time.perf_counter()
        whole = snapshots.load([STREAM])[STREAM]
        first = time.perf_counter() - begun
        times = []
        for _ in range(50):
            begun = time.perf_counter()
            loaded = snapshots.load([STREAM])[STREAM]
            times.append((time.perf_counter() - begun) * 1000)
            assert loaded.state == whole.state
            _receive(log, 1, version=loaded.version)
            whole.state.on_hand += 1
        print(
            f"a stream of {whole.version:,} events: {first * 1000:,.0f} ms without a snapshot,"
            f" {statistics.median(times):.2f} ms with one (worst {max(times):.2f})   to reach 5"
        )


def _selling(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_stock (sku text PRIMARY KEY, available bigint)")
        connection.execute("INSERT INTO bench_stock VALUES ('mug', 100000000)")
    updates, sales = [], []
    for _ in range(ROUNDS):
        updates.append(_updates(url))
        sales.append(_reservations(url))
    bought, sold = (statistics.median(r.rate for r in each) for each in (updates, sales))
    p99 = statistics.median(r.percentile(0.99) for r in sales)
    print(
        f"{BUYERS} buyers of one SKU: {sold:,.0f} reservations/s (p99 {p99:.1f} ms) by the handling loop,"
        f" {bought:,.0f}/s by UPDATE; {sold / bought:.2f}×   to reach 2"
    )


def _updates(url: str) -> Report:
    opened = [psycopg.connect(url, autocommit=True) for _ in range(BUYERS)]
    free = list(opened)

    def make() -> Callable[[], None]:
        connection = free.pop()

        def buy() -> None:
            assert connection.execute(UPDATE, ["mug"], prepare=True).rowcount == 1

        return buy

    try:
        return ours.in_threads(BUYERS, SECONDS, make)
    finally:
        for connection in opened:
            connection.close()


def _reservations(url: str) -> Report:
    report = Report()

    async def run(log: PostgresLog) -> None:
        async with Handling(log, CODEC, {Reserve: handle_reserve}) as handling:
            begun = time.perf_counter()
            end = begun + SECONDS

            async def buy() -> None:
                while (sent := time.perf_counter()) < end:
                    context = Context(actor=Actor("anonymous"), channel="web")
                    await handling.handle(Reserve(order_id=uuid4().hex), context)
                    report.latencies.append(time.perf_counter() - sent)

            await asyncio.gather(*(buy() for _ in range(BUYERS)))
            report.seconds = time.perf_counter() - begun

    with ours.open_log(url) as log:
        _receive(log, 10_000_000)
        uvloop.run(run(log))
        _none_oversold(log, len(report.latencies))
    return report


def _none_oversold(log: PostgresLog, reserved: int) -> None:
    history: list[Any] = [CODEC.decode(recorded) for recorded in log.read_stream(STREAM)]
    state = stock.initial()
    for event in history:
        state = stock.evolve(state, event)
        assert state.available >= 0
    assert state.reserved == len(state.reservations) == reserved


def _receive(log: PostgresLog, quantity: int, *, version: int = 0) -> None:
    received = StockReceived(sku="mug", location="main", quantity=quantity, reason="delivery")
    entry: Entry = ours.command({STREAM: version})
    entry.events = [CODEC.encode(STREAM, received)]
    log.append([entry])
