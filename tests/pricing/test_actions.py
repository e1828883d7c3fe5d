"""What each kind of action takes off which lines."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from aggregates.pricing.rules import WHOLE, Action, ActionTier, BundlePart, Selector
from tests.pricing.cases import PERCENT, less, line, off_cart, off_lines, post, promotion, skus, terms
from tests.pricing.priced import discounts, nets, priced, steps

HALF = WHOLE // 2


def off(action: Action, *lines: object, **facts: object) -> dict[str, int]:
    """What is left of each line once the action was applied."""
    return nets(priced(lines, promotion("p", action, **facts)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("total", "net"), [("0.01", 1), ("0.03", 1), ("0.05", 3), ("0.07", 3)])
def test_a_percentage_of_a_line_is_rounded_half_even(total: str, net: int) -> None:
    """Half of 1, 3, 5, 7: 0, 2, 2, 4."""
    assert off(Action(kind="percent", percent=HALF), line("a", total)) == {"a": net}


def test_a_percentage_is_rounded_on_each_line_by_itself() -> None:
    outcome = priced([line("a", "0.03"), line("b", "0.03")], promotion("p", off_lines(50)))
    assert discounts(outcome) == {"p": 4}
    assert steps(outcome, "line_promotion")[0].exact == "3"


def test_only_selected_lines_bear_a_line_promotion() -> None:
    assert off(off_lines(10, skus("b")), line("a", "1.00"), line("b", "2.00")) == {"a": 100, "b": 180}


TIERS = tuple(ActionTier(quantity=units, percent=units * PERCENT) for units in (6, 3, 10))


@pytest.mark.parametrize(
    ("units", "left"), [((2, 2), (100, 100)), ((3, 2), (97, 100)), ((6, 9), (94, 94)), ((10, 5), (90, 97))]
)
def test_tiers_by_line_look_at_the_units_of_each_line(units: tuple[int, int], left: tuple[int, int]) -> None:
    action = Action(kind="percent", tiers=TIERS)
    lines = [
        replace(line(name, "1.00", quantity), tiers=((1, Decimal(1) / quantity),))
        for name, quantity in zip("ab", units, strict=True)
    ]
    assert tuple(off(action, *lines).values()) == left


def test_below_all_tiers_nothing_comes_off() -> None:
    action = Action(kind="percent", tiers=(ActionTier(quantity=2, percent=PERCENT),))
    assert off(action, line("a", "100000.00")) == {"a": 10_000_000}


def test_tiers_by_selection_look_at_all_selected_units() -> None:
    action = Action(kind="percent", tiers=TIERS, tiers_by="selection", selector=skus("a", "b"))
    many = line("c", "1.00", 50)
    assert off(action, line("a", "1.00"), line("b", "1.00"), many) == {"a": 100, "b": 100, "c": 5000}
    assert off(action, line("a", "1.00", 2), line("b", "1.00"), many) == {"a": 194, "b": 97, "c": 5000}


def test_per_unit_takes_no_more_than_is_left() -> None:
    action = Action(kind="per_unit", amount={"GBP": 150})
    assert off(action, line("a", "1.00", 3), line("b", "2.00", 2)) == {"a": 0, "b": 100}


def test_a_unit_price_never_raises_a_line() -> None:
    action = Action(kind="unit_price", price={"GBP": 150})
    assert off(action, line("a", "1.00", 3), line("b", "2.00", 2)) == {"a": 300, "b": 300}


def buy_get(bought: int, got: int, **facts: object) -> Action:
    """For so many bought so many free."""
    given = {"percent": WHOLE, "buy_quantity": bought, "get_quantity": got} | facts
    return Action(kind="buy_get", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("units", "free"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 2), (7, 2), (8, 2), (9, 3)]
)
def test_buy_two_get_one_counts_the_rewarded_units_out(units: int, free: int) -> None:
    outcome = priced([line("a", "1.00", units)], promotion("p", buy_get(2, 1)))
    assert discounts(outcome).get("p", 0) == free * 100


@pytest.mark.parametrize(("units", "free"), [(2, 0), (3, 1), (4, 2), (5, 2), (6, 2), (7, 3), (8, 4)])
def test_a_reward_of_several_units_may_be_used_in_part(units: int, free: int) -> None:
    """Buy 2, get 2: the first of the two needs both bought units already."""
    outcome = priced([line("a", "1.00", units)], promotion("p", buy_get(2, 2)))
    assert discounts(outcome).get("p", 0) == free * 100


def test_the_cheapest_units_are_rewarded_and_the_dearest_bear_it() -> None:
    lines = [line("a", "5.00"), line("b", "1.00"), line("c", "3.00", 2)]
    rewarded = buy_get(2, 1, spread="rewarded")
    assert off(rewarded, *lines) == {"a": 500, "b": 0, "c": 600}
    # b is free: a and one c earned it, and 100 is shared by 500, 100 and 300.
    assert off(buy_get(2, 1), *lines) == {"a": 444, "b": 89, "c": 567}


def test_of_units_at_one_price_those_of_the_earlier_line_are_taken() -> None:
    lines = [line("a", "2.00"), line("b", "2.00"), line("c", "2.00")]
    assert off(buy_get(2, 1, spread="rewarded"), *lines) == {"a": 0, "b": 200, "c": 200}
    assert off(buy_get(1, 1, times_max=1), *lines) == {"a": 100, "b": 100, "c": 200}


def test_the_price_of_a_unit_decides_and_not_the_lines_total() -> None:
    lines = [line("a", "1.00", 9), line("b", "2.00")]
    assert off(buy_get(1, 1, times_max=1, spread="rewarded"), *lines) == {"a": 800, "b": 200}


def test_times_max_bounds_the_rewards() -> None:
    assert off(buy_get(1, 2, times_max=2), line("a", "1.00", 9)) == {"a": 500}


def test_what_is_got_may_be_something_else_than_what_is_bought() -> None:
    action = buy_get(1, 1, buy=skus("a"), get=skus("b"), spread="rewarded")
    assert off(action, line("a", "5.00", 2), line("b", "1.00", 5)) == {"a": 1000, "b": 300}
    assert off(action, line("b", "1.00", 5)) == {"b": 500}
    assert off(action, line("a", "5.00")) == {"a": 500}


def test_rewards_of_several_units_of_something_else_are_earned_set_by_set() -> None:
    action = buy_get(2, 3, buy=skus("a"), get=skus("b"), spread="rewarded")
    assert off(action, line("a", "5.00", 5), line("b", "1.00", 10)) == {"a": 2500, "b": 400}


def test_part_of_a_reward_needs_as_many_bought_units_as_all_of_it() -> None:
    action = buy_get(2, 2, buy=skus("c"), get=skus("b", "c"))
    assert off(action, line("c", "5.00"), line("b", "3.00")) == {"c": 500, "b": 300}


def test_no_more_bought_units_bear_a_reward_than_have_earned_it() -> None:
    action = buy_get(1, 1, buy=skus("a", "c"), get=skus("b", "c"))
    lines = [line("c", "5.00"), line("b", "3.00"), line("a", "9.00", 10)]
    assert off(action, *lines) == {"c": 500 - 154, "b": 300 - 92, "a": 9000 - 554}


def test_units_that_are_both_bought_and_got_count_once() -> None:
    """Buy an a or b, get a b or c: b is the cheapest, so a earns b, and a second a earns c."""
    action = buy_get(1, 1, buy=skus("a", "b"), get=skus("b", "c"), spread="rewarded")
    lines = [line("a", "5.00"), line("b", "1.00"), line("c", "3.00")]
    assert off(action, *lines) == {"a": 500, "b": 0, "c": 300}
    assert off(action, line("a", "5.00", 2), *lines[1:]) == {"a": 1000, "b": 0, "c": 0}


def test_part_of_a_reward_is_rounded_once_over_all_rewarded_units() -> None:
    outcome = priced(
        [line("a", "0.03"), line("b", "0.05"), line("c", "9.00", 2)],
        promotion("p", buy_get(1, 1, percent=HALF, get=skus("a", "b"), spread="rewarded")),
    )
    assert discounts(outcome) == {"p": 4}
    step = steps(outcome, "line_promotion")[0]
    assert (step.base, step.rate, step.exact) == (8, "2 at 50 %", None)


def test_units_are_worth_a_part_of_what_is_left_of_their_line() -> None:
    """3 units left at 1.00: one is worth 33, two 67."""
    action = buy_get(1, 1, times_max=1, spread="rewarded")
    assert off(action, line("a", "0.3333", 3)) == {"a": 67}
    assert off(buy_get(1, 2, times_max=1, spread="rewarded"), line("a", "0.3333", 3)) == {"a": 33}


def bundle(*parts: tuple[Selector, int], **facts: object) -> Action:
    return Action(
        kind="bundle",
        parts=tuple(BundlePart(selector=selector, quantity=units) for selector, units in parts),
        **facts,  # type: ignore[arg-type]
    )


def test_a_bundle_needs_all_its_parts() -> None:
    action = bundle((skus("a"), 1), (skus("b"), 2), price={"GBP": 500})
    assert off(action, line("a", "4.00", 3), line("b", "1.00")) == {"a": 1200, "b": 100}
    # One set of 600 for 500.
    assert off(action, line("a", "4.00", 3), line("b", "1.00", 3)) == {"a": 1133, "b": 267}


def test_bundles_are_made_set_by_set_of_the_dearest_units() -> None:
    action = bundle((Selector(), 2), price={"GBP": 500})
    outcome = priced([line("a", "3.00"), line("b", "4.00", 2), line("c", "1.00")], promotion("p", action))
    # 4.00 + 4.00, then 3.00 + 1.00: 12.00 for 10.00.
    assert discounts(outcome) == {"p": 200}
    assert steps(outcome, "line_promotion")[0].rate == "2 at 5.00"


def test_a_part_takes_its_units_before_the_next_one() -> None:
    """The first part takes the dearest, so that a set for both selectors can fail."""
    action = bundle((Selector(), 1), (skus("a"), 1), price={"GBP": 100})
    assert off(action, line("a", "3.00"), line("b", "2.00")) == {"a": 300, "b": 200}
    assert off(action, line("a", "3.00"), line("b", "4.00")) == {"a": 43, "b": 57}


def test_many_sets_of_several_kinds_come_to_the_same_as_one_by_one() -> None:
    action = bundle((skus("a", "b"), 2), (skus("b", "c"), 1), amount={"GBP": 10})
    lines = [line("a", "3.00", 1000), line("b", "2.00", 703), line("c", "1.00", 50)]
    outcome = priced(lines, promotion("p", action))
    # 500 sets of 2 a and a b, then 67 of 3 b, then one of 2 b and a c.
    assert discounts(outcome) == {"p": 5680}


@pytest.mark.parametrize(
    ("given", "discount"),
    [
        ({"price": {"GBP": 150}}, 50),
        ({"price": {"GBP": 250}}, 0),
        ({"percent": 33 * PERCENT}, 66),
        ({"amount": {"GBP": 30}}, 30),
        ({"amount": {"GBP": 900}}, 200),
        ({"price": {"GBP": 150}, "times_max": 0}, 0),
    ],
    ids=str,
)
def test_a_bundle_costs_a_price_a_part_or_an_amount_less(given: dict[str, object], discount: int) -> None:
    outcome = priced([line("a", "1.00", 3)], promotion("p", bundle((Selector(), 2), **given)))
    assert discounts(outcome).get("p", 0) == discount


def test_a_percentage_off_the_cart_is_rounded_once_and_shared() -> None:
    lines = [line("a", "0.03"), line("b", "0.03"), line("c", "0.05")]
    outcome = priced(lines, promotion("p", off_cart(50)))
    # Half of 11 is 5.5, to even 6: 1.64, 1.64 and 2.73 of it.
    assert nets(outcome) == {"a": 1, "b": 2, "c": 2}
    assert steps(outcome, "cart_promotion")[0].exact == "5.5"


def test_only_selected_lines_bear_a_cart_promotion() -> None:
    action = replace(less(150), selector=skus("b", "c"))
    assert off(action, line("a", "9.00"), line("b", "2.00"), line("c", "1.00")) == {
        "a": 900,
        "b": 100,
        "c": 50,
    }


@pytest.mark.parametrize(("units", "percent"), [(9, 0), (10, 5), (19, 5), (20, 10), (40, 10)])
def test_tiers_of_the_cart_look_at_the_sum_of_the_selection(units: int, percent: int) -> None:
    tiers = tuple(
        ActionTier(from_amount={"GBP": start}, percent=rate * PERCENT, amount={"GBP": rate})
        for start, rate in ((2000, 10), (1000, 5))
    )
    lines = [line("a", "1.00", units), line("b", "99.00")]
    part = Action(kind="percent_off", selector=skus("a"), tiers=tiers)
    assert discounts(priced(lines, promotion("p", part))).get("p", 0) == units * percent
    fixed = Action(kind="amount_off", selector=skus("a"), tiers=tiers)
    assert discounts(priced(lines, promotion("p", fixed))).get("p", 0) == percent


def test_below_all_tiers_of_the_cart_nothing_comes_off_the_dearest() -> None:
    action = Action(
        kind="percent_off", tiers=(ActionTier(from_amount={"GBP": 2_000_000}, percent=10 * PERCENT),)
    )
    assert off(action, line("a", "19999.99")) == {"a": 1_999_999}
    assert off(action, line("a", "20000.00")) == {"a": 1_800_000}


def test_a_tier_is_chosen_by_what_line_promotions_left_and_not_by_what_the_cart_did() -> None:
    tiers = (ActionTier(from_amount={"GBP": 900}, percent=50 * PERCENT),)
    tiered = promotion("tiered", Action(kind="percent_off", tiers=tiers), priority=50)
    lines = [line("a", "10.00")]
    assert discounts(priced(lines, tiered, promotion("first", less(500)))) == {"first": 500, "tiered": 250}
    assert discounts(priced(lines, tiered, promotion("first", off_lines(20)))) == {"first": 200}


@pytest.mark.parametrize(
    ("action", "net"),
    [
        (Action(kind="shipping_percent", percent=HALF), 247),
        (Action(kind="shipping_amount", amount={"GBP": 200}), 295),
        (Action(kind="shipping_amount", amount={"GBP": 900}), 0),
        (Action(kind="shipping_price", price={"GBP": 100}), 100),
        (Action(kind="shipping_price", price={"GBP": 900}), 495),
    ],
    ids=lambda given: getattr(given, "kind", ""),
)
def test_shipping_promotions_take_off_the_rate(action: Action, net: int) -> None:
    outcome = priced([line("a", "1.00")], promotion("p", action), method=post("GBP", 495))
    assert outcome.shipping is not None
    assert (outcome.shipping.rate, outcome.shipping.net) == (495, net)
    assert nets(outcome) == {"a": 100}
    assert outcome.total == 100 + net
    assert [step.shares for step in steps(outcome, "shipping_promotion")] == (
        [{"shipping": net - 495}] if net < 495 else []
    )


def test_shipping_promotions_take_off_what_is_left_of_the_rate() -> None:
    half = promotion("half", Action(kind="shipping_percent", percent=HALF), priority=200)
    less_two = promotion("two", Action(kind="shipping_amount", amount={"GBP": 200}))
    outcome = priced([line("a", "1.00")], half, less_two, method=post("GBP", 500))
    assert discounts(outcome) == {"half": 250, "two": 200}
    assert [(one.kind, one.rule) for one in outcome.charges] == [
        ("shipping", "post"),
        ("discount", "half"),
        ("discount", "two"),
    ]


@pytest.mark.parametrize(
    "action",
    [
        Action(kind="per_unit", amount={"EUR": 1}),
        Action(kind="unit_price", price={"EUR": 1}),
        Action(kind="amount_off", amount={"EUR": 1}),
        Action(kind="amount_off"),
        bundle((Selector(), 1), price={"EUR": 1}),
        bundle((Selector(), 1), amount={"EUR": 1}),
        bundle((Selector(), 1)),
        Action(kind="percent_off", tiers=(ActionTier(percent=HALF, from_amount={"EUR": 0}),)),
        Action(kind="percent_off", tiers=(ActionTier(percent=HALF),)),
        Action(kind="shipping_amount", amount={"EUR": 1}),
        Action(kind="shipping_price", price={"EUR": 1}),
    ],
    ids=lambda action: action.kind,
)
def test_an_action_without_the_carts_currency_does_not_apply(action: Action) -> None:
    rules = terms(promotion("p", action), method=post("GBP", 495))
    outcome = priced([line("a", "1.00")], codes=["p"], rules=rules, method_id="post")
    assert discounts(outcome) == {}
    assert [(one.rule, one.why) for one in outcome.explanation.not_applied] == [("p", "currency")]
