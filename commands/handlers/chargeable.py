"""Amounts that a gateway cannot move: finer than its unit, or in a currency that it does not take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from aggregates.kernel import Money, Reason, Rejected

Chargeable = Callable[[Money], str | None]
"""Why the gateway could never move the amount; None where it can."""


@dataclass(frozen=True, slots=True)
class AmountNotChargeable(Reason):
    """The gateway cannot move this amount"""

    about: ClassVar = None
    amount: Money
    code: str


def any_amount(amount: Money) -> str | None:
    """Of a gateway that moves every amount."""
    return None


def require_chargeable(amount: Money, chargeable: Chargeable) -> None:
    """Raises Rejected: an amount is never rounded to what would fit."""
    if amount.amount and (code := chargeable(amount)) is not None:
        raise Rejected(AmountNotChargeable(amount=amount, code=code))
