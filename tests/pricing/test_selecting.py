"""Which list gives a line's price, and what the price was before a reduction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.kernel import UnitPrice
from aggregates.pricing.offer import ListPrice
from aggregates.pricing.rules import Market, PriceList
from aggregates.pricing.selecting import Chosen, Point, choose, prior_price, reaches, unit_price


def listed(list_id: str, *tiers: tuple[int, str], currency: str = "GBP", **head: object) -> ListPrice:
    price_list = PriceList(list_id=list_id, currency=currency, **head)  # type: ignore[arg-type]
    return ListPrice(price_list=price_list, tiers=tuple((start, Decimal(exact)) for start, exact in tiers))


BASE = listed("base", (1, "10.00"), (10, "9.00"))
TRADE = listed("trade", (5, "8.75"), (20, "8.00"), priority=50, customer_groups=("trade",))
SPRING = listed("spring", (1, "9.50"), kind="sale")


def total(quantity: int, *groups: str) -> tuple[str, int]:
    chosen = choose([BASE, TRADE, SPRING], "GBP", None, groups, quantity)
    assert chosen is not None
    exact = unit_price(chosen.tiers, quantity)
    return chosen.list_id, UnitPrice(exact, "GBP").times(quantity).amount


@pytest.mark.parametrize(
    ("quantity", "groups", "expected"),
    [
        (4, ("trade",), ("spring", 3800)),
        (5, ("trade",), ("trade", 4375)),
        (12, ("trade",), ("trade", 10500)),
        (20, ("trade",), ("trade", 16000)),
        (4, (), ("spring", 3800)),
        (12, (), ("base", 10800)),
    ],
)
def test_case_2_the_list_for_a_quantity_and_a_customer_group(
    quantity: int, groups: tuple[str, ...], expected: tuple[str, int]
) -> None:
    assert total(quantity, *groups) == expected


def test_a_sale_names_the_price_that_it_beat() -> None:
    chosen = choose([BASE, SPRING], "GBP", None, (), 4)
    assert chosen == Chosen("spring", SPRING.tiers, was=Decimal("10.00"), on_sale=True)


def test_a_sale_at_the_same_price_is_none() -> None:
    same = listed("same", (1, "10.00"), kind="sale")
    assert choose([BASE, same], "GBP", None, (), 1) == Chosen("base", BASE.tiers)


def test_a_contract_price_may_be_dearer_and_a_sale_below_it_counts() -> None:
    contract = listed("contract", (1, "12.00"), priority=1)
    assert choose([BASE, contract], "GBP", None, (), 1) == Chosen("contract", contract.tiers)
    chosen = choose([BASE, contract, SPRING], "GBP", None, (), 1)
    assert chosen is not None
    assert (chosen.list_id, chosen.was) == ("spring", Decimal("12.00"))


def test_of_overrides_with_one_priority_the_lowest_price_counts_then_the_id() -> None:
    dear, a, b = listed("a0", (1, "9")), listed("a1", (1, "8")), listed("a2", (1, "8"))
    for prices in ([dear, a, b], [b, a, dear]):
        assert choose(prices, "GBP", None, (), 1) == Chosen("a1", a.tiers)


def test_of_sales_the_lowest_counts_whatever_its_priority() -> None:
    high = listed("high", (1, "9.50"), kind="sale", priority=99)
    low = listed("low", (1, "9.40"), kind="sale")
    chosen = choose([BASE, high, low], "GBP", None, (), 1)
    assert chosen is not None
    assert chosen.list_id == "low"


def test_a_product_that_is_only_on_a_sale_list_has_its_price() -> None:
    assert choose([SPRING], "GBP", None, (), 1) == Chosen("spring", SPRING.tiers, on_sale=True)


NET_MARKET = Market(market_id="us", countries=("US",), currencies=("USD",), tax_pricing="exclusive")


@pytest.mark.parametrize(
    "other",
    [
        listed("other", (1, "1"), currency="EUR"),
        listed("other", (1, "1"), markets=("us",)),
        listed("other", (1, "1"), customer_groups=("staff", "press")),
        listed("other", (1, "1"), tax_included=False),
        listed("other", (2, "1")),
    ],
    ids=["currency", "market", "group", "tax", "quantity"],
)
def test_lists_for_others_do_not_count(other: ListPrice) -> None:
    assert choose([other], "GBP", None, ("trade",), 1) is None
    assert choose([other, BASE], "GBP", None, ("trade",), 1) == Chosen("base", BASE.tiers)


def test_a_market_with_tax_on_top_takes_the_lists_without_tax() -> None:
    net = listed("net", (1, "8"), tax_included=False, markets=("us", "ca"))
    assert choose([BASE, net], "GBP", NET_MARKET, (), 1) == Chosen("net", net.tiers)
    assert choose([BASE, net], "GBP", None, (), 1) == Chosen("base", BASE.tiers)


def test_a_quantity_below_all_tiers_has_no_price() -> None:
    assert not reaches(TRADE.tiers, 4)
    assert reaches(TRADE.tiers, 5)
    with pytest.raises(ValueError, match="no price for 4"):
        unit_price(TRADE.tiers, 4)


@pytest.mark.parametrize(("quantity", "exact"), [(5, "8.75"), (19, "8.75"), (20, "8.00"), (500, "8.00")])
def test_a_tier_counts_from_its_quantity_on(quantity: int, exact: str) -> None:
    assert unit_price(TRADE.tiers, quantity) == Decimal(exact)


PRICES = st.builds(
    lambda number, exact, kind, priority: listed(f"l{number}", (1, str(exact)), kind=kind, priority=priority),
    st.integers(1, 9),
    st.integers(1, 20),
    st.sampled_from(["override", "sale"]),
    st.integers(0, 2),
)


@settings(deadline=None)
@given(st.lists(PRICES, max_size=6, unique_by=lambda one: one.price_list.list_id), st.randoms())
def test_the_order_in_which_lists_come_changes_nothing(prices: list[ListPrice], random: object) -> None:
    first = choose(prices, "GBP", None, (), 1)
    random.shuffle(prices)  # type: ignore[attr-defined]
    assert choose(prices, "GBP", None, (), 1) == first


# -- the price before a reduction --


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


RISEN = (Point(day(3, 1), 10000), Point(day(5, 10), 8000), Point(day(5, 20), 10000))


def test_case_25_the_lowest_price_of_thirty_days_before_the_fall() -> None:
    assert prior_price([*RISEN, Point(day(6, 1), 7000)]) == 8000
    assert prior_price([*RISEN, Point(day(6, 25), 7000)]) == 10000


def test_a_price_that_ended_as_the_thirty_days_began_does_not_count() -> None:
    fall = day(5, 20) + timedelta(days=30)
    assert prior_price([*RISEN, Point(fall, 7000)]) == 10000
    assert prior_price([*RISEN, Point(fall - timedelta(seconds=1), 7000)]) == 8000


def test_a_price_that_rose_or_never_changed_has_no_prior_price() -> None:
    assert prior_price([]) is None
    assert prior_price(RISEN[:1]) is None
    assert prior_price(RISEN) is None


def test_the_prior_price_stays_until_the_next_change() -> None:
    fallen = [*RISEN, Point(day(6, 1), 7000)]
    assert prior_price([*fallen, Point(day(9, 1), 7000)]) == 8000
    assert prior_price([*fallen, Point(day(9, 1), 7100)]) is None


FALLING = (Point(day(1, 1), 10000), Point(day(3, 1), 9000), Point(day(3, 10), 8000), Point(day(3, 20), 7000))


def test_in_a_series_that_only_falls_the_first_step_counts_where_the_market_says_so() -> None:
    assert prior_price(FALLING) == 8000
    assert prior_price(FALLING, progressive=True) == 10000


def test_a_rise_ends_a_progressive_series() -> None:
    points = [*FALLING, Point(day(3, 25), 9500), Point(day(4, 1), 8500)]
    assert prior_price(points, progressive=True) == 7000


def test_a_time_without_a_price_ends_a_series_and_is_no_price() -> None:
    points = [Point(day(1, 1), 10000), Point(day(2, 1), None), Point(day(2, 10), 8000)]
    assert prior_price(points) is None
    assert prior_price(points[:2]) is None
    assert prior_price([*points, Point(day(2, 12), 7000)]) == 8000
    assert prior_price([*points, Point(day(2, 20), 7000)], progressive=True) == 8000
