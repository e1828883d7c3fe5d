"""Decisions on a product's prices: now, later, for a while, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.catalog.events import (
    CatalogEvent,
    PriceChanged,
    PriceScheduleCanceled,
    PriceScheduled,
    PriceWithdrawn,
)
from aggregates.catalog.product import Product, check_listed, check_on_sale, price_key
from aggregates.kernel import Reason, Rejected, Sku
from aggregates.pricing.rules import BASE, PriceList, Tiers

SCHEDULES_MAX = 100
"""Schedules of one product that wait or run at a time."""


@dataclass(frozen=True, slots=True)
class PriceUnfit(Reason):
    """The price could never hold on its list

    `field`: the part of it that is unfit, as `items.3.tiers.0.currency`.
    """

    about: ClassVar[str | None] = "field"

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class UnknownPriceSchedule(Reason):
    """No such price schedule waits or runs"""

    sku: Sku
    schedule_id: str


@dataclass(frozen=True, slots=True)
class TooManyPriceSchedules(Reason):
    """The product has as many price schedules as it can have"""

    sku: Sku
    schedules_max: int


@dataclass(frozen=True, slots=True)
class PriceScheduleOverlap(Reason):
    """The list has another price of the product for a part of that time

    `schedule_id`: the schedule of that price.
    """

    sku: Sku
    list_id: str
    schedule_id: str


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts_at` until before `ends_at`; None: for good."""

    starts_at: datetime
    ends_at: datetime | None = None


def window_of(
    price_list: PriceList, *, starts_at: datetime | None, ends_at: datetime | None, now: datetime
) -> Window:
    """When prices of the list hold: in the list's window, and in their own where they have one.

    Rejected where that is never from now on, and where prices of the base list are to end: a product on sale
    has one.
    """
    if price_list.list_id == BASE and ends_at is not None:
        raise Rejected(PriceUnfit("ends_at", "is for other lists: a product always has its base price"))
    starts = max((at for at in (starts_at, price_list.starts_at) if at is not None), default=now)
    ends = min((at for at in (ends_at, price_list.ends_at) if at is not None), default=None)
    if ends is not None and ends <= max(starts, now):
        why = "is over" if ends <= now else "is not after starts_at"
        raise Rejected(PriceUnfit("ends_at", why if ends == ends_at else f"of the price list {why}"))
    return Window(starts, ends)


def check_currency(price_list: PriceList, currency: str, *, field: str) -> None:
    """Rejected where the list has another currency; `field` names the part of the request."""
    if currency != price_list.currency:
        raise Rejected(PriceUnfit(field, f"is not that of the price list: {price_list.currency}"))


def set_price(
    product: Product,
    *,
    sku: Sku,
    price_list: PriceList,
    tiers: Tiers,
    window: Window,
    schedule_id: str,
    now: datetime,
) -> tuple[CatalogEvent, ...]:
    """Sells at these tiers of this list in the window: a schedule under that id, unless it has begun and is
    for good."""
    if window.ends_at is None and window.starts_at <= now:
        return change_price(product, sku=sku, price_list=price_list, tiers=tiers)
    scheduled = PriceScheduled(
        schedule_id=schedule_id,
        sku=sku,
        list=price_list,
        currency=price_list.currency,
        tiers=tiers,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
    )
    return schedule_price(product, scheduled=scheduled, now=now)


def change_price(
    product: Product, *, sku: Sku, price_list: PriceList, tiers: Tiers
) -> tuple[CatalogEvent, ...]:
    """Sells at these tiers of this list from now on, for good."""
    check_on_sale(product, sku)
    key = price_key(price_list.list_id, price_list.currency)
    held = product.prices.get(key)
    is_for_good = key not in product.scheduled
    if held is not None and held.tiers == tiers and held.price_list == price_list and is_for_good:
        return ()
    return (PriceChanged(sku=sku, list=price_list, currency=price_list.currency, tiers=tiers),)


def leave_list(product: Product, *, sku: Sku, list_id: str) -> tuple[CatalogEvent, ...]:
    """Takes the product off the list: its price is withdrawn, and what is scheduled there is canceled."""
    events: list[CatalogEvent] = []
    running: set[str | None] = set()
    for key, price in product.prices.items():
        head = price.price_list
        if head.list_id == list_id:
            schedule_id = product.scheduled.get(key)
            running.add(schedule_id)
            events.append(
                PriceWithdrawn(sku=sku, list_id=list_id, currency=head.currency, schedule_id=schedule_id)
            )
    events.extend(
        PriceScheduleCanceled(schedule_id=schedule_id, sku=sku)
        for schedule_id, schedule in product.schedules.items()
        if schedule.price.list.list_id == list_id and schedule_id not in running
    )
    return tuple(events)


def schedule_price(product: Product, *, scheduled: PriceScheduled, now: datetime) -> tuple[CatalogEvent, ...]:
    """Will sell at the schedule's tiers in its window; at once where that has begun."""
    check_on_sale(product, scheduled.sku)
    if scheduled.schedule_id in product.schedules:
        return ()
    if len(product.schedules) >= SCHEDULES_MAX:
        raise Rejected(TooManyPriceSchedules(scheduled.sku, SCHEDULES_MAX))
    for schedule in product.schedules.values():
        if _overlap(schedule.price, scheduled):
            other = schedule.price
            raise Rejected(PriceScheduleOverlap(other.sku, other.list.list_id, other.schedule_id))
    if scheduled.starts_at > now:
        return (scheduled,)
    return (scheduled, _start(scheduled))


def start_schedule(product: Product, *, schedule_id: str, now: datetime) -> tuple[CatalogEvent, ...]:
    """Sells at the schedule's tiers; nothing before its time, and where it was canceled or has started."""
    schedule = product.schedules.get(schedule_id)
    if schedule is None or schedule.started or schedule.price.starts_at > now:
        return ()
    return (_start(schedule.price),)


def end_schedule(product: Product, *, schedule_id: str, now: datetime) -> tuple[CatalogEvent, ...]:
    """Withdraws the schedule's price, unless the list has another one by now: then only the schedule ends.
    Nothing before its time."""
    schedule = product.schedules.get(schedule_id)
    if schedule is None or schedule.price.ends_at is None or schedule.price.ends_at > now:
        return ()
    return _end(product, schedule.price)


def cancel_schedule(product: Product, *, sku: Sku, schedule_id: str) -> tuple[CatalogEvent, ...]:
    """The schedule changes no price any more; one that runs is ended."""
    check_listed(product, sku)
    if schedule_id not in product.schedules:
        raise Rejected(UnknownPriceSchedule(sku, schedule_id))
    return _end(product, product.schedules[schedule_id].price)


def _start(price: PriceScheduled) -> PriceChanged:
    return PriceChanged(
        sku=price.sku,
        list=price.list,
        currency=price.currency,
        tiers=price.tiers,
        schedule_id=price.schedule_id,
    )


def _end(product: Product, price: PriceScheduled) -> tuple[CatalogEvent, ...]:
    if product.scheduled.get(price_key(price.list.list_id, price.currency)) != price.schedule_id:
        return (PriceScheduleCanceled(schedule_id=price.schedule_id, sku=price.sku),)
    return (
        PriceWithdrawn(
            sku=price.sku,
            list_id=price.list.list_id,
            currency=price.currency,
            schedule_id=price.schedule_id,
        ),
    )


def _overlap(one: PriceScheduled, other: PriceScheduled) -> bool:
    """Whether both hold for a while, and at one time: neither would be there again after the other."""
    if (one.list.list_id, one.currency) != (other.list.list_id, other.currency):
        return False
    if one.ends_at is None or other.ends_at is None:
        return False
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at
