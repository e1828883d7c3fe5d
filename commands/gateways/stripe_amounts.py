"""Amounts as Stripe writes them: ISO minor units, but for the currencies listed here.

Source: docs.stripe.com/currencies. Nothing is ever rounded: what does not fit is refused before a call.
"""

from __future__ import annotations

from aggregates.currencies import MINOR_DIGITS
from aggregates.kernel import Money

AMOUNT_MAX = 10**15
"""In Stripe's unit: what is above is no amount of anything, and is not taken from an answer either."""
_MORE_DIGITS = frozenset({"ISK", "UGX"})
"""No minor unit by ISO; Stripe counts hundredths, of which the last two digits are 0."""
_FEWER_DIGITS = frozenset({"MGA"})
"""Two digits by ISO (its unit has five parts); Stripe counts whole units."""
_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Three digits, of which Stripe wants the last to be 0."""
_NOT_OFFERED = frozenset({"IQD", "LYD"})


def chargeable(amount: Money) -> str | None:
    """Why Stripe could never take or give back the amount, as a code; None where it can.

    The least amount, and a greatest below `AMOUNT_MAX`, are Stripe's to know: they follow the currency of the
    account.
    """
    if amount.currency not in MINOR_DIGITS or amount.currency in _NOT_OFFERED:
        return "currency_not_supported"
    if (amount.currency in _FEWER_DIGITS and amount.amount % 100) or (
        amount.currency in _TENS and amount.amount % 10
    ):
        return "amount_has_too_many_digits"
    if _in_stripes_unit(amount) > AMOUNT_MAX:
        return "amount_too_large"
    return None


def to_stripe(amount: Money) -> int:
    """The amount in Stripe's unit. ValueError for one that is not `chargeable`."""
    if (code := chargeable(amount)) is not None:
        raise ValueError(f"{amount.currency}: {code}")
    return _in_stripes_unit(amount)


def _in_stripes_unit(amount: Money) -> int:
    if amount.currency in _MORE_DIGITS:
        return amount.amount * 100
    return amount.amount // 100 if amount.currency in _FEWER_DIGITS else amount.amount


def from_stripe(amount: int, currency: str) -> Money:
    """The amount in ISO minor units; `currency` in either case. ValueError for what ISO cannot write."""
    currency = currency.upper()
    if currency not in MINOR_DIGITS:
        raise ValueError("currency_unknown")
    if currency in _FEWER_DIGITS:
        return Money(amount * 100, currency)
    if currency in _MORE_DIGITS:
        if amount % 100:
            raise ValueError(f"{currency}: amount_has_too_many_digits")
        return Money(amount // 100, currency)
    return Money(amount, currency)
