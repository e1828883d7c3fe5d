"""What waits for an operator, as metrics of every command process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import Gauge

from commands.operator.owed import OwedTotals, Totals
from commands.processes.owed import NAMES, TO_CUSTOMER, TO_SHOP
from event_store.errors import StoreUnavailable
from event_store.records import EventLog

ORDERS = Gauge(
    "daybook_payments_owed_orders",
    "Orders that wait for an operator: to_shop, to_customer, stuck, concern; the same in every process",
    ["what"],
)
AMOUNT = Gauge(
    "daybook_payments_owed_minor",
    "Money owed to_shop and to_customer, in minor units by currency; the same in every process",
    ["what", "currency"],
)
SECONDS = 10.0


@asynccontextmanager
async def counting_owed(log: EventLog, *, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Counts now and then, while the context is entered; where the log is away, the last count stands."""
    owed = OwedTotals(log)

    async def count() -> None:
        while True:
            with suppress(StoreUnavailable):
                _show(await asyncio.to_thread(owed.read))
            await asyncio.sleep(seconds)

    task = asyncio.create_task(count(), name="orders that wait for an operator")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


def _show(totals: Totals) -> None:
    for aspect, orders in totals.orders.items():
        ORDERS.labels(NAMES[aspect]).set(orders)
    for what, amounts in ((TO_SHOP, totals.to_shop), (TO_CUSTOMER, totals.to_customer)):
        for currency, amount in amounts.items():
            AMOUNT.labels(NAMES[what], currency).set(amount)
