"""Schedules: prices that start and end at their moments, and promotions whose windows open and close.

Many of them are due at one moment: a sale of a whole shop. So they are done together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from aggregates.catalog import product
from aggregates.catalog.events import (
    PriceChanged,
    PriceScheduleCanceled,
    PriceScheduled,
    PriceWithdrawn,
)
from aggregates.terms.events import PromotionDefined, PromotionEnded, PromotionStarted
from commands.handlers.schedules import DuePrice, DuePromotion, RunSchedules
from commands.processes.kind import Change, Closed, Due, Opened
from event_store.progress import OpenWork
from event_store.records import EventLog, RecordedEvent

START, END = 1, 2
_PRICE, _PROMOTION = "price", "promotion"


class Schedules:
    """See ProcessKind. A queue for each schedule and each promotion: it starts, then it ends."""

    name = "schedules"
    event_names = (
        "catalog.price_scheduled",
        "catalog.price_schedule_canceled",
        "catalog.price_changed",
        "catalog.price_withdrawn",
        "terms.promotion_defined",
        "terms.promotion_started",
        "terms.promotion_ended",
    )
    at_once_max = 2  # one is decided while the other is read back
    round_seconds = 0.1
    together_max = 1_000

    def starts_at(self, log: EventLog) -> int:
        """The log's start: what was ever scheduled is owed."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """What is scheduled, started, ended, canceled."""
        match event:
            case PriceScheduled(sku=sku, schedule_id=schedule_id, starts_at=starts_at, ends_at=ends_at):
                yield from _window(f"{_PRICE} {sku} {schedule_id}", starts_at, ends_at)
            case PriceChanged(sku=sku, schedule_id=str() as schedule_id):
                yield Closed(f"{_PRICE} {sku} {schedule_id}", START)
            case (
                PriceWithdrawn(sku=sku, schedule_id=str() as schedule_id)
                | PriceScheduleCanceled(sku=sku, schedule_id=schedule_id)
            ):
                yield Closed(f"{_PRICE} {sku} {schedule_id}", START)
                yield Closed(f"{_PRICE} {sku} {schedule_id}", END)
            case PromotionDefined(promotion=promotion):
                queue = f"{_PROMOTION} {promotion.promotion_id}"
                yield from _window(queue, promotion.starts_at, promotion.ends_at)
            case PromotionStarted(promotion_id=promotion_id):
                yield Closed(f"{_PROMOTION} {promotion_id}", START)
            case PromotionEnded(promotion_id=promotion_id):
                yield Closed(f"{_PROMOTION} {promotion_id}", START)
                yield Closed(f"{_PROMOTION} {promotion_id}", END)

    async def do(self, due: Due) -> RunSchedules:
        """One of them, as of the moment that was read."""
        return self.do_together([due.work], due.now)

    def streams(self, works: Sequence[OpenWork]) -> Iterable[str]:
        """The products'."""
        queues = (work.queue.split(" ") for work in works)
        return dict.fromkeys(product.stream(queue[1]) for queue in queues if queue[0] == _PRICE)

    def do_together(self, works: Sequence[OpenWork], now: datetime) -> RunSchedules:
        """All of them in one command; of what is due at one moment, the starts first."""
        prices: list[DuePrice] = []
        promotions: list[DuePromotion] = []
        for work in sorted(works, key=lambda work: (work.due_at, work.number)):
            what, *named = work.queue.split(" ")
            if what == _PRICE:
                sku, schedule_id = named
                prices.append(DuePrice(sku, schedule_id, work.number == END))
            else:
                promotions.append(DuePromotion(named[0], work.number == END))
        return RunSchedules(prices=tuple(prices), promotions=tuple(promotions), now=now)


def _window(queue: str, *moments: datetime | None) -> Iterable[Change]:
    """Of when it starts and ends; what has no start holds since it was defined."""
    for number, moment in zip((START, END), moments, strict=True):
        yield Closed(queue, number) if moment is None else Opened(queue, number, due_at=moment)
