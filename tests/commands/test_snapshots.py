"""Snapshots: a long stream loads fast, and nothing depends on any of them being there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import pytest

from aggregates.catalog.events import ProductListed
from aggregates.event_types import EVENT_TYPES
from aggregates.folds import KINDS, kind_of
from aggregates.inventory.events import StockDispatched, StockReceived, StockReserved
from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import Address, OrderPlaced
from commands.handlers.inventory import AdjustStock
from commands.handlers.registry import HANDLERS
from commands.loop import snapshots
from commands.loop.decision import Actor, Context
from commands.loop.handling import Handling
from commands.loop.snapshots import EVENTS_MOST, Snapshots
from event_store.codec import Codec
from event_store.ids import new_command_id
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import Entry, EventLog, Snapshot

CODEC = Codec(EVENT_TYPES)
STOCK = "stock-mug"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def write(log: EventLog, stream: str, events: Iterable[Any], keys: dict[str, bytes] | None = None) -> None:
    at = len(log.read_stream(stream))
    entry = Entry(
        command_id=new_command_id(),
        name="import",
        verdict="accepted",
        reads={stream: at},
        events=[
            CODEC.encode(stream, event, keys or {}, version=version)
            for version, event in enumerate(events, at + 1)
        ],
        actor="import:",
        channel="import",
        new_subject_keys=keys or {},
    )
    log.append([entry])


def sold(orders: int, first: int = 0) -> list[Any]:
    """Units that arrived, of which each order reserved one and every second one got it."""
    events: list[Any] = [StockReceived(sku="mug", location="main", quantity=orders, reason="delivery")]
    for n in range(first, first + orders):
        order = f"{n:032x}"
        events.append(StockReserved(sku="mug", location="main", order_id=order, quantity=1, expires_at=NOON))
        if n % 2:
            events.append(
                StockDispatched(sku="mug", location="main", order_id=order, quantity=1, from_reservation=1)
            )
    return events


def folded(log: EventLog, stream: str) -> Any:
    _, initial, evolve = kind_of(stream)
    state = initial()
    for recorded in log.read_stream(stream):
        state = evolve(state, CODEC.decode(recorded))
    return state


class Reads(MemoryLog):
    """Counts the events that were read from streams."""

    events = 0

    def read_streams(self, streams: Any, **arguments: Any) -> Any:
        found = super().read_streams(streams, **arguments)
        self.events = sum(map(len, found.values()))
        return found


def test_a_state_from_a_snapshot_is_the_folded_one() -> None:
    log = Reads()
    write(log, STOCK, sold(EVENTS_MOST))
    first = Snapshots(log, CODEC).load([STOCK])[STOCK]
    assert log.events > EVENTS_MOST
    write(log, STOCK, sold(10, first=EVENTS_MOST))
    second = Snapshots(log, CODEC).load([STOCK, "stock-unknown"])[STOCK]
    assert log.events == 16  # what came after the snapshot
    for loaded in (first, second):
        assert loaded.snapshot_version == first.version
    last = log.read_stream(STOCK)[-1]
    assert second.state == folded(log, STOCK)
    assert (second.version, second.last_position) == (last.version, last.position)


def test_a_short_stream_gets_none() -> None:
    log = MemoryLog()
    write(log, STOCK, sold(10))
    Snapshots(log, CODEC).load([STOCK])
    assert log.snapshots({STOCK: snapshots._kind_of(STOCK).shape}) == {}


def test_a_snapshot_of_another_shape_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Reads()
    write(log, STOCK, sold(EVENTS_MOST))
    loaded = Snapshots(log, CODEC).load([STOCK])[STOCK]
    kind = snapshots._kind_of(STOCK)
    identity = log.read_stream(STOCK)[-1].identity
    other = Snapshot(STOCK, loaded.version, kind.shape + "-of-another-fold", b"not to be read", identity)
    log.save_snapshot(other)
    again = Snapshots(log, CODEC).load([STOCK])[STOCK]
    assert log.events == loaded.version
    assert again.state == folded(log, STOCK)


def test_every_kind_of_state_survives_being_kept() -> None:
    shapes = set()
    for name, (_, initial, _) in KINDS.items():
        kind = snapshots._kind_of(f"{name}-x")
        shapes.add(kind.shape)
        assert kind.decoder.decode(msgspec.msgpack.encode((7, initial()))) == (7, initial())
    assert len(shapes) == len(KINDS)


def test_nothing_personal_is_in_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "EVENTS_MOST", 1)
    log = MemoryLog()
    subject = order = "order-o1"
    placed = OrderPlaced(
        order_id="o1",
        number="1",
        channel="web",
        currency="GBP",
        lines=(),
        charges=(),
        total=Money(0, "GBP"),
        rounding="half-even",
        placed_on=NOON.date(),
        email="ann@example.org",
        shipping_address=Address(name="Ann", line1="1 High St", city="York", postal_code="Y1", country="GB"),
    )
    write(log, order, [placed], keys={subject: b"k" * 32})
    Snapshots(log, CODEC).load([order])
    snapshot = log.snapshots({order: snapshots._kind_of(order).shape})[order]
    assert b"web" in snapshot.data
    for personal in (b"ann@", b"Ann", b"High St", b"York"):
        assert personal not in snapshot.data


def test_a_stream_that_grows_under_the_loop_gets_one() -> None:
    log = MemoryLog()
    kind = snapshots._kind_of(STOCK)

    async def run() -> None:
        async with Handling(log, CODEC, HANDLERS) as handling:
            await asyncio.gather(
                *(
                    handling.handle(
                        AdjustStock(sku="mug", delta=1, reason="count"),
                        Context(actor=Actor("operator"), channel="api"),
                    )
                    for _ in range(EVENTS_MOST + 5)
                )
            )

    write(
        log,
        "product-mug",
        [
            ProductListed(
                sku="mug",
                title="Mug",
                description="",
                category="Mugs",
                attributes={},
                price=UnitPrice.of(Money(100, "GBP")),
                seller="main",
            )
        ],
    )
    asyncio.run(run())
    assert log.snapshots({STOCK: kind.shape})[STOCK].version >= EVENTS_MOST
    loaded = Snapshots(log, CODEC).load([STOCK])[STOCK]
    assert loaded.state == folded(log, STOCK)
    assert loaded.state.on_hand == EVENTS_MOST + 5


def test_they_are_kept_and_replaced_in_the_database(fresh_postgres: str) -> None:
    log = PostgresLog.open(fresh_postgres)
    write(log, STOCK, sold(EVENTS_MOST))
    first = Snapshots(log, CODEC).load([STOCK])[STOCK]
    write(log, STOCK, sold(EVENTS_MOST, first=EVENTS_MOST))
    second = Snapshots(log, CODEC).load([STOCK])[STOCK]
    third = Snapshots(log, CODEC).load([STOCK])[STOCK]
    assert first.version < second.version == third.snapshot_version
    assert third.state == second.state == folded(log, STOCK)
    (then,) = log.read_stream(STOCK, after_version=first.version - 1, limit=1)
    late = Snapshot(STOCK, first.version, snapshots._kind_of(STOCK).shape, b"slower process", then.identity)
    log.save_snapshot(late)
    with psycopg.connect(fresh_postgres) as connection:
        rows = connection.execute("SELECT stream, version FROM daybook.snapshots").fetchall()
    assert rows == [(STOCK, second.version)]
    log.close()
