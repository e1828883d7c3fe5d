"""What a promotion's limits have left: its uses over all orders, and its budget by currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from aggregates.kernel import Money, OrderId, Reason, Rejected, StreamKind
from aggregates.pricing.context import Left
from aggregates.pricing.rules import Promotion
from aggregates.promotions.events import UseClaimed, UseEvent, UseReleased


@dataclass(slots=True)
class Uses:
    """`uses` are claims less releases; `spent` what they took off, in minor units by currency."""

    uses: int = 0
    spent: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromotionUsedUp(Reason):
    """The promotion has no use left, or its budget is spent"""

    promotion_id: str


def initial() -> Uses:
    """A promotion nobody used."""
    return Uses()


def evolve(uses: Uses, event: UseEvent) -> Uses:
    """The uses after the event; changes them in place."""
    match event:
        case UseClaimed(amount=amount):
            uses.uses += 1
            uses.spent[amount.currency] = uses.spent.get(amount.currency, 0) + amount.amount
        case UseReleased(amount=amount):
            uses.uses -= 1
            uses.spent[amount.currency] = uses.spent.get(amount.currency, 0) - amount.amount
        case _:
            assert_never(event)
    return uses


stream = StreamKind("promotion_uses", initial, evolve)


def is_limited(promotion: Promotion) -> bool:
    """Whether its uses are counted at all."""
    return promotion.uses_max is not None or bool(promotion.budget)


def left(uses: Uses, promotion: Promotion, currency: str) -> Left:
    """What the promotion can still give, in this currency."""
    budget = promotion.budget.get(currency)
    return Left(
        uses=None if promotion.uses_max is None else max(0, promotion.uses_max - uses.uses),
        budget=None if budget is None else max(0, budget - uses.spent.get(currency, 0)),
    )


def claim(uses: Uses, *, promotion: Promotion, order_id: OrderId, amount: Money) -> tuple[UseEvent, ...]:
    """Takes one use, and the amount out of the budget, for the order."""
    rest = left(uses, promotion, amount.currency)
    if rest.uses == 0 or (rest.budget is not None and rest.budget < amount.amount):
        raise Rejected(PromotionUsedUp(promotion.promotion_id))
    return (UseClaimed(promotion_id=promotion.promotion_id, order_id=order_id, amount=amount),)


def release(uses: Uses, *, promotion_id: str, order_id: OrderId, amount: Money) -> tuple[UseEvent, ...]:
    """Gives the order's use and amount back."""
    if not uses.uses:
        return ()
    return (UseReleased(promotion_id=promotion_id, order_id=order_id, amount=amount),)
