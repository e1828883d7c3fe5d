"""Steps 1 and 2 of the calculation: each line's unit price by its quantity, and its total, half even."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from aggregates.currencies import minor_digits
from aggregates.pricing.context import PricedLine
from aggregates.pricing.rules import Tiers


class LineTotals:
    """By the line's place: `units`, exact, of which of the list's `tiers`, by number; `totals` in minor
    units, and the exact ones that were `rounded`."""

    __slots__ = ("rounded", "tiers", "totals", "units")

    def __init__(self, lines: Sequence[PricedLine], currency: str) -> None:
        minor = 10 ** minor_digits(currency)
        self.units: list[Decimal] = []
        self.totals: list[int] = []
        self.tiers: list[int] = []
        self.rounded: dict[int, Decimal] = {}
        for place, line in enumerate(lines):
            number = _tier(line.tiers, line.quantity)
            unit = line.tiers[number][1]
            exact = unit * (line.quantity * minor)
            total = round(exact)
            if total != exact:
                self.rounded[place] = exact
            self.units.append(unit)
            self.totals.append(total)
            self.tiers.append(number)


def _tier(tiers: Tiers, quantity: int) -> int:
    number = 0
    for later in range(1, len(tiers)):
        if tiers[later][0] > quantity:
            break
        number = later
    return number
