"""100,000 prices that are due at one moment: how long until the last of them holds."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from aggregates.catalog.events import PriceScheduled
from aggregates.pricing.rules import PriceList
from commands.codec import CODEC
from commands.handlers.registry import HANDLERS
from commands.loop.handling import Handling
from commands.processes.following import PREPARED_AHEAD, checkpoint_of
from commands.processes.manager import ProcessManagers
from commands.processes.schedules import Schedules
from deploy.edge.serving import COLLECT_AFTER
from event_store.records import EventLog
from tests.bench import ours
from tests.bench.server import own_postgres
from tests.shop.facts import NOON, listed
from tests.shop.log import Shop

PRICES = int(os.environ.get("BENCH_PRICES", "100000"))
SPRING = PriceList(list_id="spring", currency="GBP", kind="sale")
DUE = NOON + timedelta(minutes=30)
ENDS = NOON + timedelta(minutes=60)


class Counting(Handling):
    """Counts the streams that are prepared."""

    prepared = 0

    async def prepare(self, streams: Iterable[str]) -> None:
        names = list(streams)
        await super().prepare(names)
        self.prepared += len(names)


def main() -> None:
    """Prints the figures: prices that start, and prices that end, both in a process that was
    there two minutes before."""
    gc.set_threshold(COLLECT_AFTER, 10, 10)  # as the servers do
    with own_postgres() as server, ours.open_log(server.url) as log:
        shop = Shop(log)
        for n in range(PRICES):
            sku = f"P{n}"
            scheduled = PriceScheduled(
                schedule_id="a",
                sku=sku,
                list=SPRING,
                currency="GBP",
                tiers=((1, Decimal("8.00")), (10, Decimal("7.50"))),
                starts_at=DUE,
                ends_at=ENDS,
            )
            shop.record((listed(sku), scheduled))
        shop.flush()
        del shop
        asyncio.run(_run(log))


async def _run(log: EventLog) -> None:
    now = NOON
    kind, tracked = Schedules(), checkpoint_of(Schedules())
    handling = Counting(log, CODEC, HANDLERS, deadline_seconds=60)
    async with handling:
        begun, used = time.perf_counter(), time.process_time()
        async with ProcessManagers(log, CODEC, handling, [kind], clock=lambda: now):
            while log.tracked(tracked) != log.head():
                await asyncio.sleep(0.05)
            _print("followed", begun, used)
            for what, moment in (("started", DUE), ("ended", ENDS)):
                begun, used = time.perf_counter(), time.process_time()
                now = moment - PREPARED_AHEAD
                handling.prepared = 0
                while handling.prepared < PRICES:
                    await asyncio.sleep(0.02)
                _print("prepared", begun, used, "   before their moment")
                expected, now = log.head() + PRICES, moment
                begun, used = time.perf_counter(), time.process_time()
                while log.head() < expected:
                    await asyncio.sleep(0.02)
                _print(what, begun, used, "   to reach 10 s")


def _print(what: str, begun: float, used: float, aim: str = "") -> None:
    print(
        f"{what:<9} {PRICES:,} prices in {time.perf_counter() - begun:.1f} s"
        f" ({time.process_time() - used:.1f} s of our CPU){aim}",
        flush=True,
    )
