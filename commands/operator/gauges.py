"""How many orders wait for an operator, as metrics of every command process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import Gauge

from commands.operator.owed import count_owed
from commands.processes.owed import NAMES
from event_store.errors import StoreUnavailable
from event_store.records import EventLog

ORDERS = Gauge(
    "daybook_payments_owed_orders",
    "Orders that wait for an operator: to_shop, to_customer, stuck, concern; the same in every process",
    ["what"],
)
SECONDS = 10.0


@asynccontextmanager
async def counting_owed(log: EventLog, *, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Counts now and then, while the context is entered; where the log is away, the last count stands."""

    async def count() -> None:
        while True:
            with suppress(StoreUnavailable):
                for aspect, orders in (await asyncio.to_thread(count_owed, log)).items():
                    ORDERS.labels(NAMES[aspect]).set(orders)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(count(), name="orders that wait for an operator")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
