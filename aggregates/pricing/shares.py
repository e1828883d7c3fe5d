"""Rounding and sharing in integers: where a part of a minor unit goes."""

from __future__ import annotations

from collections.abc import Sequence


def half_even(numerator: int, denominator: int) -> int:
    """The quotient to the nearest integer, ties to the even one. `denominator` is above zero."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of what is not negative to the nearest integer, ties up. `denominator` is above zero."""
    return (2 * numerator + denominator) // (2 * denominator)


def share(amount: int, weights: Sequence[int]) -> list[int]:
    """Parts of `amount` in proportion to `weights`, by largest remainder, ties to the earlier.

    They sum to `amount`. No weight is negative; a part is 0 where its weight is. ValueError where all are 0.
    """
    total = sum(weights)
    if total <= 0:
        raise ValueError("weights must sum to more than zero")
    size = abs(amount)
    portions = [size * weight for weight in weights]
    parts = [portion // total for portion in portions]
    missing = size - sum(parts)
    if missing:
        # A stable sort: of equal remainders the earlier comes first, also in reverse.
        remainders = [portion % total for portion in portions]
        for i in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[:missing]:
            parts[i] += 1
    return parts if amount >= 0 else [-part for part in parts]
