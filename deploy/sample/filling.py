"""Filling a shop with the sample: products, stock and weeks of orders, each step once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from commands.handlers.registry import HANDLERS
from commands.importing.online_retail.handlers import IMPORT_HANDLERS
from commands.importing.online_retail.identity import Identity
from commands.importing.online_retail.recording import ReceiveOpeningStock
from commands.importing.submitting import Submitter
from commands.loop.handling import Handling
from deploy.sample.assortment import assortment
from deploy.sample.orders import first_day_before, sample_orders
from deploy.sample.planning import listing, record, undo
from deploy.sample.standing import OPENING, Standing, number_of, standing
from deploy.sample.stock import opening_stock
from deploy.sample.unpaid import SAMPLE_HANDLERS
from event_store.codec import Codec
from event_store.records import EventLog

SOURCE = "sample"
DEADLINE_SECONDS = 60.0
EVENTS_EACH = 8  # by a command, about


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the sample, and when it was true."""

    command: Any
    at: datetime


async def fill_shop(log: EventLog, codec: Codec, *, today: date) -> int:
    """Writes what is missing of the sample; how many commands had something to write.

    The weeks of orders end the day before `today`; in a half-filled shop they are those it began with.
    """
    identity = Identity(log.installation_secret(), SOURCE)
    found = await asyncio.to_thread(standing, log, codec, identity, assortment())
    handlers = {**HANDLERS, **IMPORT_HANDLERS, **SAMPLE_HANDLERS}
    async with Handling(log, codec, handlers, deadline_seconds=DEADLINE_SECONDS) as handling:
        submitter = Submitter(handling, actor=SOURCE)
        try:
            for step in missing_steps(identity, found, today=today):
                await submitter.submit(step.command, valid_at=step.at, events=EVENTS_EACH)
            await submitter.flush()
        finally:
            await submitter.abandon()
    return submitter.written


def missing_steps(identity: Identity, found: Standing, *, today: date) -> Iterator[Step]:
    """The commands still to be handled, earliest first."""
    first_day = found.first_day or first_day_before(today)
    opening = datetime.combine(first_day - timedelta(days=1), time(9), UTC)
    articles = assortment()
    orders = sample_orders(articles, first_day=first_day)
    for article in articles:
        if article.sku not in found.listed:
            yield Step(listing(article), opening)
    for sku, quantity in opening_stock(articles, orders).items():
        if sku not in found.received:
            receipt = ReceiveOpeningStock(sku=sku, quantity=quantity, reason="opening stock", source=OPENING)
            yield Step(receipt, opening)
    steps = []
    for order in orders:
        state = found.orders[number_of(order.nth)]
        if state.placed is None:
            steps.append(Step(record(order, identity), order.placed_at))
        if order.ended_at is not None:
            steps += [Step(command, order.ended_at) for command in undo(order, identity, state)]
    yield from sorted(steps, key=lambda step: step.at)
