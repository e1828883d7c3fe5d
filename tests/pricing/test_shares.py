"""Rounding and sharing: nothing is lost, and nobody gets more than a minor unit more than his part."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.pricing.shares import half_even, half_up, share

WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any)


@settings(deadline=None)
@given(st.integers(-5000, 5000), WEIGHTS)
def test_shares_are_by_largest_remainder_and_ties_go_to_the_earlier(amount: int, weights: list[int]) -> None:
    exact = [Fraction(abs(amount) * weight, sum(weights)) for weight in weights]
    floors = [int(part) for part in exact]
    order = sorted(range(len(weights)), key=lambda i: (floors[i] - exact[i], i))
    for i in order[: abs(amount) - sum(floors)]:
        floors[i] += 1
    sign = 1 if amount >= 0 else -1
    assert share(amount, weights) == [sign * part for part in floors]


@settings(deadline=None)
@given(st.integers(0, 5000), WEIGHTS)
def test_an_amount_below_the_sum_of_weights_gives_nobody_more_than_his_weight(
    amount: int, weights: list[int]
) -> None:
    parts = share(min(amount, sum(weights)), weights)
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


def test_nothing_can_be_shared_where_nobody_has_a_weight() -> None:
    for weights in ([], [0], [0, 0]):
        with pytest.raises(ValueError, match="more than zero"):
            share(1, weights)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_halves_go_to_the_even_neighbour_or_up(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert half_even(numerator, denominator) == round(exact)
    assert half_up(numerator, denominator) == int(exact + Fraction(1, 2))


def test_a_half_below_zero_goes_to_the_even_neighbour_too() -> None:
    assert [half_even(number, 2) for number in (-3, -1, 1, 3, 5)] == [-2, 0, 0, 2, 2]
