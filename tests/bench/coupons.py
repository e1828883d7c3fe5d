"""A batch of 100,000 coupons, issued by its process beside other commands: its time, and what they wait."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time

import structlog

from aggregates.promotions import batch
from aggregates.promotions.events import BatchRequested
from commands.handlers.cart import OpenCart
from commands.handlers.promotions import RequestBatch
from commands.handlers.registry import HANDLERS
from commands.handlers.terms import DefinePromotion
from commands.loop.decision import Actor, Context
from commands.loop.handling import Handling
from commands.processes.coupon_batches import CODES_AT_ONCE, CouponBatches
from commands.processes.manager import ProcessManagers
from event_store.ids import new_id
from event_store.postgres.log import PostgresLog
from tests.bench import ours
from tests.bench.server import own_postgres
from tests.promotions.given import PROMOTION, UNITS
from tests.shop.facts import CODEC, NOON

CODES = 100_000
PAUSE_SECONDS = 0.02


def main() -> None:
    """Prints the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with own_postgres() as server, ours.open_log(server.url) as log:
        begun, used = time.perf_counter(), time.process_time()
        waits = asyncio.run(_issue(log))
        took = time.perf_counter() - begun
        cpu = time.process_time() - used
    print(f"issued:      {CODES:,} codes in {took:.1f} s ({cpu:.1f} s of our CPU)   to reach 30 s")
    print(
        f"others wait: {statistics.median(waits) * 1000:.0f} ms (median), {max(waits) * 1000:.0f} ms at most,"
        f" of {len(waits):,} commands that were sent meanwhile"
    )


async def _issue(log: PostgresLog) -> list[float]:
    """How long the other commands took, in seconds."""
    context = Context(actor=Actor("operator", "bench"), channel="web")
    waits = []
    async with Handling(log, CODEC, HANDLERS) as handling:
        await handling.handle(DefinePromotion(promotion=PROMOTION, units=UNITS, at=NOON), context)
        requested = BatchRequested(batch_id=new_id(), promotion_id="welcome", count=CODES, prefix="SPRING-")
        context = Context(actor=Actor("operator", "bench"), channel="web")
        await handling.handle(RequestBatch(requested=requested, at=NOON), context)
        stream = batch.stream(requested.batch_id)
        before_last = 1 + CODES // CODES_AT_ONCE  # requested, and each part: then it is completed
        async with ProcessManagers(log, CODEC, handling, [CouponBatches()]):
            while not await asyncio.to_thread(log.read_stream, stream, after_version=before_last, limit=1):
                begun = time.perf_counter()
                one = Context(actor=Actor("anonymous"), channel="web")
                await handling.handle(OpenCart(cart_id=new_id(), currency="GBP"), one)
                waits.append(time.perf_counter() - begun)
                await asyncio.sleep(PAUSE_SECONDS)
    return waits
