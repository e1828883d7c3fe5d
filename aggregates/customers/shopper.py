"""What is counted of one shopper: orders, and uses of promotions. The key is a customer's, or a guest's
address hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from aggregates.customers.events import OrderCounted, OrderUncounted, ShopperEvent
from aggregates.kernel import OrderId, StreamKind


@dataclass(slots=True)
class ShopperCounts:
    """Orders that were not given up, and how many of them used each promotion."""

    orders: int = 0
    uses: dict[str, int] = field(default_factory=dict)


def initial() -> ShopperCounts:
    """A shopper without orders."""
    return ShopperCounts()


def evolve(counts: ShopperCounts, event: ShopperEvent) -> ShopperCounts:
    """The counts after the event; changes them in place."""
    match event:
        case OrderCounted(uses=uses):
            by = 1
        case OrderUncounted(uses=uses):
            by = -1
        case _:
            assert_never(event)
    counts.orders += by
    for promotion_id in uses:
        counts.uses[promotion_id] = counts.uses.get(promotion_id, 0) + by
    return counts


stream = StreamKind("shopper", initial, evolve)


def customer_key(customer_id: str) -> str:
    """Of a shopper who is a customer."""
    return f"c-{customer_id}"


def guest_key(address_hash: str) -> str:
    """Of a guest, by the keyed hash of their e-mail address."""
    return f"m-{address_hash}"


def count(*, shopper: str, order_id: OrderId, uses: tuple[str, ...]) -> tuple[ShopperEvent, ...]:
    """Counts an order."""
    return (OrderCounted(shopper=shopper, order_id=order_id, uses=uses),)


def uncount(
    counts: ShopperCounts, *, shopper: str, order_id: OrderId, uses: tuple[str, ...]
) -> tuple[ShopperEvent, ...]:
    """Counts it no more."""
    if not counts.orders:
        return ()
    return (OrderUncounted(shopper=shopper, order_id=order_id, uses=uses),)
