"""Money never vanishes: not in sums, roundings or shares."""

from decimal import Decimal

import pytest
from hypothesis import given as forall
from hypothesis import strategies as some

from aggregates.currencies import minor_digits
from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import Money, UnitPrice, allocate


@pytest.mark.parametrize(
    ("exact", "currency", "quantity", "amount"),
    [
        ("2.555", "GBP", 1, 256),  # 255.5 pence: half to even is up
        ("2.545", "GBP", 1, 254),  # 254.5 pence: half to even is down
        ("0.001", "GBP", 5, 0),
        ("0.001", "GBP", 15, 2),
        ("7", "JPY", 3, 21),
        ("1.2345", "KWD", 1, 1234),
        ("12.99", "GBP", 80995, 105212505),
    ],
)
def test_a_line_total_is_exact_until_it_is_rounded_half_even(exact, currency, quantity, amount):
    assert UnitPrice(Decimal(exact), currency).times(quantity) == Money(amount, currency)


@pytest.mark.parametrize("currency", ["GBP", "JPY", "KWD"])
def test_a_unit_price_of_whole_minor_units_is_worth_exactly_those(currency):
    price = UnitPrice.of(Money(1299, currency))
    assert price.times(1) == Money(1299, currency)
    assert price.is_whole
    assert not UnitPrice(price.exact + Decimal("0.0001"), currency).is_whole


def test_money_of_two_currencies_does_not_add_up():
    with pytest.raises(ValueError, match="GBP and EUR"):
        Money(1, "GBP") + Money(1, "EUR")
    with pytest.raises(ValueError, match="EUR and GBP"):
        Money.sum([Money(1, "GBP")], "EUR")


def test_a_currency_nobody_issues_has_no_minor_unit():
    with pytest.raises(KeyError):
        minor_digits("GBX")


@forall(
    total=some.integers(-(10**12), 10**12),
    weights=some.lists(some.integers(0, 10**9), min_size=1, max_size=30).filter(any),
)
def test_shares_sum_to_the_whole_and_each_is_within_one_unit_of_its_part(total, weights):
    shares = allocate(Money(total, "GBP"), weights)
    assert sum(share.amount for share in shares) == total
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share.amount * whole - total * weight) < whole


def test_what_weighs_nothing_gets_nothing_and_the_largest_remainder_comes_first():
    assert [share.amount for share in allocate(Money(100, "GBP"), [1, 0, 1, 1])] == [34, 0, 33, 33]
    assert [share.amount for share in allocate(Money(10, "GBP"), [1, 2])] == [3, 7]


def test_every_stored_name_is_unique_and_says_its_context():
    names = [kind.name for kind in EVENT_TYPES]
    assert len(set(names)) == len(names)
    for kind in EVENT_TYPES:
        assert kind.name.split(".")[0] == kind.cls.__module__.split(".")[1]
