"""Rounding and sharing, on fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

HALF = Fraction(1, 2)
DIGITS = {"JPY": 0, "BHD": 3, "KWD": 3}
"""Decimals of the currencies that do not have two."""


def minor_units(currency: str) -> int:
    """How many minor units make a major one."""
    return int(10 ** DIGITS.get(currency, 2))


def half_even(exact: Fraction) -> int:
    """To the nearest integer, a tie to the even one."""
    below = floor(exact)
    part = exact - below
    if part < HALF or (part == HALF and below % 2 == 0):
        return below
    return below + 1


def half_up(exact: Fraction) -> int:
    """To the nearest integer, a tie to the larger one."""
    return floor(exact + HALF)


def percent(ppm: int) -> Fraction:
    """Parts per million as a fraction."""
    return Fraction(ppm, 1_000_000)


def largest_remainder(amount: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Parts of `amount` (not negative) in proportion to the weights: all get the integer below, then those
    with the largest remainder one more, of equal ones the earlier. Nothing has parts where all weights
    are 0."""
    total = sum(weights)
    if total == 0:
        assert amount == 0, "nothing bears it"
        return [0] * len(weights)
    exact = [Fraction(amount) * weight / total for weight in weights]
    parts = [floor(each) for each in exact]
    while sum(parts) < amount:
        behind = [each - part for each, part in zip(exact, parts, strict=True)]
        parts[behind.index(max(behind))] += 1
    return parts
