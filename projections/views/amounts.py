"""Money as events have it, and as documents show it."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from aggregates import kernel
from projections.documents import shapes


def money(amount: kernel.Money) -> shapes.Money:
    """The same amount, as it is served."""
    return shapes.Money(amount.amount, amount.currency)


@lru_cache(maxsize=16_384)
def unit_price(price: kernel.UnitPrice) -> shapes.UnitPrice:
    """The price in minor units, rounded half-even, and exactly where it is finer than that."""
    exact = None if price.is_whole else format(price.exact.normalize(), "f")
    return shapes.UnitPrice(price.times(1).amount, price.currency, exact)


def line_total(price: shapes.UnitPrice, quantity: int) -> shapes.Money:
    """The exact total for `quantity` units, rounded half-even, as the cart and the order round it."""
    if price.exact is None:
        return shapes.Money(price.amount * quantity, price.currency)
    return money(kernel.UnitPrice(Decimal(price.exact), price.currency).times(quantity))
