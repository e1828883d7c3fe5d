"""Which price list a line takes, and what a price was before it fell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from aggregates.pricing.rules import PriceList, Tiers


def tier(tiers: Tiers, quantity: int) -> Fraction | None:
    """The unit price for the quantity; None where it reaches no tier."""
    reached = [(start, price) for start, price in tiers if start <= quantity]
    return Fraction(max(reached)[1]) if reached else None


@dataclass(frozen=True)
class Choice:
    """The list a line takes, its unit price, and what a sale beat."""

    list_id: str
    unit_price: Fraction
    was: Fraction | None


def choose(
    prices: Sequence[tuple[PriceList, Tiers]],
    *,
    currency: str,
    market: str,
    tax_included: bool,
    customer_groups: Sequence[str],
    quantity: int,
) -> Choice | None:
    """The best override, or the lowest sale price where that is below."""
    admitted = []
    for head, tiers in prices:
        unit_price = tier(tiers, quantity)
        if (
            unit_price is not None
            and head.currency == currency
            and head.tax_included == tax_included
            and (not head.markets or market in head.markets)
            and (not head.customer_groups or set(head.customer_groups) & set(customer_groups))
        ):
            admitted.append((head, unit_price))
    overrides = sorted(
        (-head.priority, price, head.list_id) for head, price in admitted if head.kind == "override"
    )
    sales = sorted((price, head.list_id) for head, price in admitted if head.kind == "sale")
    if sales and (not overrides or sales[0][0] < overrides[0][1]):
        return Choice(sales[0][1], sales[0][0], overrides[0][1] if overrides else None)
    if overrides:
        return Choice(overrides[0][2], overrides[0][1], None)
    return None


def prior_price(points: Sequence[tuple[datetime, int | None]], *, progressive: bool = False) -> int | None:
    """The prior price that goes with the last of the points (from when, how much; None: no price from then
    on). None where the last change was no fall."""
    changes: list[tuple[datetime, int | None]] = []
    for moment, amount in points:
        if not changes or changes[-1][1] != amount:
            changes.append((moment, amount))
    prior: int | None = None
    for step in range(1, len(changes)):
        before, (fell_at, amount) = changes[step - 1][1], changes[step]
        if before is None or amount is None or amount > before:
            prior = None
        elif prior is None or not progressive:
            in_force = []
            for earlier in range(step):
                was, ended = changes[earlier][1], changes[earlier + 1][0]
                if was is not None and ended > fell_at - timedelta(days=30):
                    in_force.append(was)
            prior = min(in_force)
    return prior
