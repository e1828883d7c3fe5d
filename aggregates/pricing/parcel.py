"""What there is to ship of a cart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aggregates.pricing.context import PricedLine
from aggregates.pricing.line_totals import LineTotals


class Parcel(NamedTuple):
    """What a carrier is asked about: all lines of the cart that ship, gifts among them, and the sum of all
    line totals. So it is one question, whichever promotions apply."""

    weight_grams: int
    amount: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The lines that ship: their weight and units. `ships`: there are any."""

    weight_grams: int
    quantity: int
    ships: bool

    def __add__(self, other: Contents) -> Contents:
        return Contents(
            self.weight_grams + other.weight_grams,
            self.quantity + other.quantity,
            self.ships or other.ships,
        )


def contents(lines: Iterable[PricedLine]) -> Contents:
    """What of the lines ships; a line of unknown traits does, and weighs nothing."""
    weight = units = 0
    ships = False
    for line in lines:
        traits = line.traits
        if traits is None:
            units += line.quantity
            ships = True
        elif traits.ships:
            weight += traits.weight_grams * line.quantity
            units += line.quantity
            ships = True
    return Contents(weight, units, ships)


def asked_parcel(lines: Sequence[PricedLine], line_totals: LineTotals) -> Parcel:
    """What a carrier is asked about."""
    found = contents(lines)
    return Parcel(found.weight_grams, sum(line_totals.totals), found.quantity)
