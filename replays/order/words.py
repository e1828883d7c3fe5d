"""Amounts, prices and quantities, as a person reads them."""

from __future__ import annotations

from decimal import Decimal

from aggregates.currencies import minor_digits
from aggregates.kernel import Money, UnitPrice


def money_in_words(money: Money) -> str:
    """`Money(129900, "GBP")` is `1,299.00 GBP`."""
    digits = minor_digits(money.currency)
    return f"{Decimal(money.amount).scaleb(-digits):,.{digits}f} {money.currency}"


def price_in_words(price: UnitPrice) -> str:
    """As exact as the price is, and at least to the minor unit: `2.555 GBP`, `12.90 GBP`."""
    exponent = price.exact.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    return f"{price.exact:,.{max(places, minor_digits(price.currency))}f} {price.currency}"


def units(quantity: int) -> str:
    """`1 unit`, `2 units`."""
    return f"{quantity:,} unit" if quantity == 1 else f"{quantity:,} units"


def why(reason: str | None) -> str:
    """What a sentence ends with where a reason was given."""
    return f": {reason}" if reason else ""
