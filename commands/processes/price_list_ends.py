"""Price lists that have ended: the prices of their products are withdrawn, so many in one command.

A product's price ends by an event of its own, as it began by one: so its page, its 30-day low and carts
agree at every position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aggregates.catalog.events import ListPricesWithdrawn
from aggregates.terms.events import PriceListEnded
from commands.codec import CODEC
from commands.handlers.catalog import WithdrawListPrices
from commands.processes.kind import Change, Closed, Due, Opened
from event_store.records import EventLog, EventReader, RecordedEvent

PRODUCTS_AT_ONCE = 1_000
"""In one command, which other commands wait for."""
PAGE = 1_000
LOOKED_AT_MAX = 50_000
"""Positions that one reading may pass over, so that rare prices cannot outlast the statement's time."""
_PRICED = ("catalog.price_changed", "catalog.price_scheduled")


class PriceListEnds:
    """See ProcessKind. One piece of work a list, opened anew by each part of it, closed by the last."""

    name = "price_list_ends"
    event_names = ("terms.price_list_ended", "catalog.list_prices_withdrawn")
    at_once_max = 1  # between two parts, other commands have their turn
    round_seconds = 0.2

    def __init__(self, log: EventReader) -> None:
        self._log = log

    def starts_at(self, log: EventLog) -> int:
        """The log's start: the prices of every list that ever ended are to be withdrawn."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """An ended list has prices to withdraw until all are."""
        match event:
            case PriceListEnded(list_id=list_id) | ListPricesWithdrawn(list_id=list_id, done=False):
                yield Opened(list_id)
            case ListPricesWithdrawn(list_id=list_id):
                yield Closed(list_id)

    async def do(self, due: Due) -> WithdrawListPrices:
        """The next products of the list. Who gets a price on a list reads the rules of sale, so none does
        after the list's end but by a schedule of before, and that is looked for too."""
        list_id = due.event.list_id
        after = due.event.upto if isinstance(due.event, ListPricesWithdrawn) else 0
        end = due.recorded.position
        skus, upto = await asyncio.to_thread(self._next_products, list_id, after, end)
        return WithdrawListPrices(list_id=list_id, skus=skus, after=after, upto=upto, done=upto == end)

    def _next_products(self, list_id: str, after: int, end: int) -> tuple[tuple[str, ...], int]:
        """Products that got a price of the list after a position, and how far the log was looked at."""
        skus: dict[str, None] = {}
        while after < end:
            up_to = min(end, after + LOOKED_AT_MAX)
            page = self._log.read_all(after=after, limit=PAGE, types=_PRICED, up_to=up_to)
            for recorded in page:
                event = CODEC.decode(recorded)
                if event.list.list_id == list_id:
                    skus[event.sku] = None
                if len(skus) == PRODUCTS_AT_ONCE:
                    return tuple(skus), recorded.position
            after = page[-1].position if len(page) == PAGE else up_to
        return tuple(skus), end
