"""Which price list a line's price comes from, and the price that was the lowest before a reduction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from aggregates.pricing.offer import ListPrice
from aggregates.pricing.rules import MAIN_MARKET, Market, Tiers


@dataclass(frozen=True, slots=True)
class Chosen:
    """The list that a line is priced by. `was`: the unit price, at this quantity, that a sale beat."""

    list_id: str
    tiers: Tiers
    was: Decimal | None = None
    on_sale: bool = False


def reaches(tiers: Tiers, quantity: int) -> bool:
    """Whether the tiers have a price for so few units."""
    return bool(tiers) and tiers[0][0] <= quantity


def unit_price(tiers: Tiers, quantity: int) -> Decimal:
    """The exact price of one of `quantity` units; ValueError where no tier starts so low."""
    if not reaches(tiers, quantity):
        raise ValueError(f"no price for {quantity}: the tiers start above it")
    price = tiers[0][1]
    for start, exact in tiers:
        if start > quantity:
            break
        price = exact
    return price


def choose(
    prices: Iterable[ListPrice],
    currency: str,
    market: Market | None,
    customer_groups: Iterable[str],
    quantity: int,
) -> Chosen | None:
    """The list for a line: of the overrides the one of the highest priority, then of the lowest price, then
    by id; but the lowest sale price where that is below.

    Lists of another currency, market or customer group, with tax included otherwise than in the market, or
    that start above the quantity, do not count. None where no list is left. Windows are not looked at: a
    price is on a list while it is in force. Market None: "main", whose prices include tax.
    """
    market_id, tax_included = (market.market_id, market.tax_included) if market else (MAIN_MARKET, True)
    groups = frozenset(customer_groups)
    override: tuple[tuple[int, Decimal, str], ListPrice] | None = None
    sale: tuple[tuple[Decimal, str], ListPrice] | None = None
    for price in prices:
        head = price.price_list
        if (
            head.currency != currency
            or head.tax_included != tax_included
            or (head.markets and market_id not in head.markets)
            or (head.customer_groups and groups.isdisjoint(head.customer_groups))
            or not reaches(price.tiers, quantity)
        ):
            continue
        exact = unit_price(price.tiers, quantity)
        if head.kind == "sale":
            by_price = (exact, head.list_id)
            if sale is None or by_price < sale[0]:
                sale = (by_price, price)
        else:
            by_priority = (-head.priority, exact, head.list_id)
            if override is None or by_priority < override[0]:
                override = (by_priority, price)
    if sale and (override is None or sale[0][0] < override[0][1]):
        was = override[0][1] if override else None
        return Chosen(sale[1].price_list.list_id, sale[1].tiers, was, on_sale=True)
    if override is None:
        return None
    return Chosen(override[1].price_list.list_id, override[1].tiers)


@dataclass(frozen=True, slots=True)
class Point:
    """A public price in minor units from a moment on; None: there is none from then on."""

    since: datetime
    amount: int | None


LOOK_BACK = timedelta(days=30)
"""How far before a fall prices count: directive 98/6/EC, Article 6a."""


def prior_price(points: Sequence[Point], *, progressive: bool = False) -> int | None:
    """The price to name beside a reduced one: the lowest in force in the 30 days before the last fall.

    `points` in their order of time. None where the last change was no fall. With `progressive`, in a series
    that only falls, it is that of the first step.
    """
    changes = [
        point for index, point in enumerate(points) if not index or point.amount != points[index - 1].amount
    ]
    fall = len(changes) - 1
    if not _falls(changes, fall):
        return None
    if progressive:
        fall = first_step(changes)
    start = changes[fall].since - LOOK_BACK
    return min(
        point.amount
        for point, following in pairwise(changes[: fall + 1])
        if point.amount is not None and following.since > start
    )


def first_step(changes: Sequence[Point]) -> int:
    """Which of the points, each another price than the one before, began the series of falls that goes on to
    the last; the last itself where that was no fall."""
    step = len(changes) - 1
    while _falls(changes, step) and _falls(changes, step - 1):
        step -= 1
    return step


def _falls(changes: Sequence[Point], index: int) -> bool:
    if index < 1:
        return False
    before, after = changes[index - 1].amount, changes[index].amount
    return before is not None and after is not None and after < before
