"""Which promotions apply: order, conditions, groups, exclusives, limits, coupons, gifts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregates.pricing.context import Destination, Left, Shopper
from aggregates.pricing.rules import WHOLE, Action, Condition, Promotion, Selector
from tests.pricing.cases import (
    BY_WEIGHT,
    NOON,
    at_least,
    less,
    line,
    off_cart,
    off_lines,
    post,
    promotion,
    skus,
)
from tests.pricing.priced import discounts, gift_line, nets, priced, steps, why_not

A10 = (line("a", "10.00"),)
SECOND = timedelta(seconds=1)


def test_the_higher_priority_goes_first_then_the_lower_id() -> None:
    """10 % of 10.00 and then 5.00 leaves 4.00; the other way round 4.50."""
    ten, five = (
        promotion("ten", off_lines(10)),
        promotion("five", Action(kind="per_unit", amount={"GBP": 500})),
    )
    assert list(discounts(priced(A10, ten, five)).items()) == [("five", 500), ("ten", 50)]
    assert discounts(priced(A10, replace(ten, priority=101), five)) == {"ten": 100, "five": 500}
    assert discounts(priced(A10, ten, replace(five, priority=99))) == {"ten": 100, "five": 500}


def test_the_order_of_definition_never_matters() -> None:
    rules = [
        promotion("ten", off_lines(10), group="g"),
        promotion("also ten", off_lines(10), group="g"),
        promotion("five", less(500)),
        promotion("alone", off_cart(50), exclusive=True),
        promotion("alone too", off_cart(50), exclusive=True),
    ]
    outcome = priced(A10, *rules)
    for ordered in (reversed(rules), rules):
        again = priced(A10, *ordered)
        assert (again, again.explanation) == (outcome, outcome.explanation)


def test_line_conditions_look_at_line_totals_and_not_at_other_line_promotions() -> None:
    first = promotion("first", off_lines(50), priority=200)
    second = promotion("second", off_lines(10), at_least(1000))
    assert discounts(priced(A10, first, second)) == {"first": 500, "second": 50}


def test_cart_conditions_look_at_what_line_promotions_left_and_not_at_other_cart_promotions() -> None:
    first = promotion("first", less(100), priority=200)
    second = promotion("second", off_cart(10), at_least(1000))
    assert discounts(priced(A10, first, second)) == {"first": 100, "second": 90}
    assert discounts(priced(A10, promotion("on lines", off_lines(1)), second)) == {"on lines": 10}


def test_shipping_conditions_look_at_what_cart_promotions_left() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=WHOLE), at_least(1000))
    assert discounts(priced(A10, free, method=post("GBP", 300))) == {"free": 300}
    assert discounts(priced(A10, free, promotion("less", less(1)), method=post("GBP", 300))) == {"less": 1}


def test_all_conditions_must_hold() -> None:
    both = promotion("both", off_lines(10), at_least(500), Condition(kind="quantity_at_least", quantity=2))
    assert discounts(priced(A10, both)) == {}
    assert discounts(priced([line("a", "10.00", 2)], both)) == {"both": 200}


def test_an_amount_within_any_of_lacks_the_currency_like_any_other() -> None:
    either = Condition(
        kind="any_of", any_of=(at_least(1, "EUR"), Condition(kind="quantity_at_least", quantity=1))
    )
    assert discounts(priced(A10, promotion("p", off_lines(10), either))) == {}


def test_a_promotion_is_found_by_a_condition_as_well_as_by_its_action() -> None:
    by_condition = promotion(
        "p", off_cart(10), Condition(kind="quantity_at_least", selector=skus("b"), quantity=1)
    )
    assert discounts(priced(A10, by_condition)) == {}
    assert discounts(priced([*A10, line("b", "1.00")], by_condition)) == {"p": 110}
    unasked = promotion(
        "p", off_cart(10), Condition(kind="amount_at_least", selector=skus("b"), amount={"GBP": 0})
    )
    assert discounts(priced(A10, unasked)) == {"p": 100}
    none_needed = promotion(
        "p", off_cart(10), Condition(kind="quantity_at_least", selector=skus("b"), quantity=0)
    )
    assert discounts(priced(A10, none_needed)) == {"p": 100}


def test_a_window_opens_on_its_second_and_is_closed_on_its_last() -> None:
    def applies(**window: object) -> bool:
        return bool(discounts(priced(A10, promotion("p", off_lines(10), **window))))

    assert applies(starts_at=NOON, ends_at=NOON + SECOND)
    assert not applies(starts_at=NOON + SECOND)
    assert not applies(ends_at=NOON)


def test_a_promotion_of_other_markets_does_not_apply() -> None:
    assert discounts(priced(A10, promotion("p", off_lines(10), markets=("us", "main")))) == {"p": 100}
    assert discounts(priced(A10, promotion("p", off_lines(10), markets=("us",)))) == {}


def test_an_outcome_holds_until_the_first_applied_promotion_ends() -> None:
    later, sooner = NOON + 3 * SECOND, NOON + 2 * SECOND
    outcome = priced(
        A10,
        promotion("later", off_lines(10), ends_at=later),
        promotion("sooner", less(1), ends_at=sooner),
        promotion("not applied", less(1), at_least(100_000), ends_at=NOON + SECOND),
    )
    assert outcome.ends_at == sooner
    assert priced(A10, promotion("endless", off_lines(10))).ends_at is None


# Groups


def group_of(*promotions: Promotion, mode: str = "best") -> list[Promotion]:
    return [replace(one, group="g", group_mode=mode) for one in promotions]


TEN, TWENTY = promotion("ten", off_lines(10)), promotion("twenty", off_lines(20))


def test_of_a_group_the_best_applies_and_the_others_say_why_not() -> None:
    outcome = priced(A10, *group_of(TEN, TWENTY))
    assert discounts(outcome) == {"twenty": 200}
    assert why_not(outcome) == {"ten": "better_in_group"}


def test_of_equally_good_ones_the_first_in_order_applies() -> None:
    same = promotion("same", Action(kind="per_unit", amount={"GBP": 100}))
    outcome = priced(A10, *group_of(TEN, same))
    assert (discounts(outcome), why_not(outcome)) == ({"same": 100}, {"ten": "better_in_group"})
    assert discounts(priced(A10, *group_of(replace(TEN, priority=101), same))) == {"ten": 100}


def test_a_group_is_decided_at_the_turn_of_its_first_that_gives_something() -> None:
    """Half off comes between the two: at the turn of `ten` they give 1.00 and 3.00, later 0.50 and 3.00."""
    ten, half = replace(TEN, priority=300), promotion("half", off_lines(50), priority=200)
    three = promotion("three", Action(kind="per_unit", amount={"GBP": 300}))
    assert discounts(priced(A10, *group_of(ten, three), half)) == {"three": 300, "half": 350}
    of_others = replace(ten, action=off_lines(10, skus("z")))
    assert discounts(priced(A10, *group_of(of_others, three), half)) == {"half": 500, "three": 300}


def test_one_of_a_group_that_gives_nothing_does_not_end_the_comparison() -> None:
    idle = promotion("then nothing", off_lines(90), at_least(9999))
    outcome = priced(A10, *group_of(TEN, idle, TWENTY))
    assert (discounts(outcome), why_not(outcome)) == ({"twenty": 200}, {"ten": "better_in_group"})


def test_of_a_group_by_order_the_first_that_gives_something_applies() -> None:
    closed = promotion("closed", off_lines(90), at_least(5000), priority=200)
    outcome = priced(A10, *group_of(TEN, TWENTY, closed, mode="first"))
    assert discounts(outcome) == {"ten": 100}
    assert why_not(outcome) == {"twenty": "first_in_group"}


def test_who_is_capped_or_over_budget_is_compared_as_such() -> None:
    capped = replace(TWENTY, cap={"GBP": 99})
    assert discounts(priced(A10, *group_of(TEN, capped))) == {"ten": 100}
    outcome = priced(A10, *group_of(TEN, TWENTY), left={"twenty": Left(budget=199)})
    assert discounts(outcome) == {"ten": 100}
    assert why_not(outcome) == {"twenty": "over_budget"}


def test_a_group_applies_once_over_all_steps() -> None:
    members = group_of(TEN, promotion("much", less(900)))
    outcome = priced(A10, *members)
    assert discounts(outcome) == {"ten": 100}
    assert why_not(outcome) == {"much": "better_in_group"}


def test_two_groups_do_not_meet() -> None:
    outcome = priced(A10, *group_of(TEN), replace(TWENTY, group="h"))
    assert discounts(outcome) == {"ten": 100, "twenty": 180}


# Exclusives


def test_an_exclusive_promotion_wins_only_where_less_is_to_pay() -> None:
    alone = promotion("alone", off_cart(10), exclusive=True)
    equal = priced(A10, alone, TEN)
    assert discounts(equal) == {"ten": 100}
    assert why_not(equal) == {"alone": "exclusive"}
    better = priced(A10, replace(alone, action=off_cart(11)), TEN)
    assert discounts(better) == {"alone": 110}
    assert why_not(better) == {"ten": "exclusive"}


def test_of_equal_exclusives_the_earlier_wins() -> None:
    one, two = promotion("one", off_cart(10), exclusive=True), promotion("two", off_lines(10), exclusive=True)
    assert discounts(priced(A10, two, one)) == {"one": 100}
    assert discounts(priced(A10, replace(two, priority=101), one)) == {"two": 100}


def test_shipping_counts_in_the_comparison() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=WHOLE), exclusive=True)
    assert discounts(priced(A10, free, TEN, method=post("GBP", 101))) == {"free": 101}
    assert discounts(priced(A10, free, TEN, method=post("GBP", 100))) == {"ten": 100}


def test_an_exclusive_promotion_that_ends_free_shipping_must_take_off_more_than_that_costs() -> None:
    """60.00 are sent for nothing, less than 50.00 for 3.95."""
    cart = (line("a", "60.00", weight_grams=1),)
    alone = promotion("alone", less(1001), exclusive=True)
    equal = priced(cart, alone, promotion("other", less(606)), method=BY_WEIGHT)
    assert (equal.total, discounts(equal)) == (5394, {"other": 606})
    assert why_not(equal) == {"alone": "exclusive"}
    better = priced(cart, alone, promotion("other", less(605)), method=BY_WEIGHT)
    assert (better.total, discounts(better)) == (4999 + 395, {"alone": 1001})
    assert why_not(better) == {"other": "exclusive"}


def test_the_last_of_several_better_exclusives_wins_and_the_others_are_named() -> None:
    rules = [promotion(f"e{percent}", off_cart(percent), exclusive=True) for percent in (11, 12, 13)]
    outcome = priced(A10, *rules, TEN)
    assert discounts(outcome) == {"e13": 130}
    assert why_not(outcome) == {"e11": "exclusive", "e12": "exclusive", "ten": "exclusive"}


def test_an_exclusive_promotion_that_a_limit_keeps_out_says_so_even_where_it_would_lose() -> None:
    alone = promotion("alone", off_cart(10), exclusive=True)
    outcome = priced(A10, alone, TWENTY, left={"alone": Left(uses=0)})
    assert (discounts(outcome), why_not(outcome)) == ({"twenty": 200}, {"alone": "used_up"})


def test_an_exclusive_promotion_is_judged_on_a_cart_without_the_others() -> None:
    """Its condition looks at what nothing was taken off."""
    alone = promotion("alone", off_cart(30), at_least(1000), exclusive=True)
    assert discounts(priced(A10, alone, TWENTY)) == {"alone": 300}


def test_eight_exclusives_are_tried_of_those_that_give_something() -> None:
    idle = [promotion(f"idle {n}", off_cart(50), at_least(9999), exclusive=True) for n in range(9)]
    small = [promotion(f"k{n}", off_cart(1), exclusive=True) for n in range(7)]
    eighth, ninth = promotion("x", off_cart(60), exclusive=True), promotion("y", off_cart(90), exclusive=True)
    outcome = priced(A10, *idle, *small, eighth, ninth)
    assert discounts(outcome) == {"x": 600}
    assert why_not(outcome) == {**{f"k{n}": "exclusive" for n in range(7)}, "y": "exclusive"}


# Limits


def test_a_cap_bounds_the_discount_and_is_borne_in_proportion() -> None:
    lines = [line("a", "10.00"), line("b", "20.00", 1)]
    by_line = promotion("p", Action(kind="per_unit", amount={"GBP": 900}), cap={"GBP": 300})
    assert nets(priced(lines, by_line)) == {"a": 850, "b": 1850}
    outcome = priced(lines, promotion("p", off_cart(50), cap={"GBP": 300}))
    assert nets(outcome) == {"a": 900, "b": 1800}
    step = steps(outcome, "cart_promotion")[0]
    assert (step.amount, step.exact) == (-300, "1500")


def test_a_cap_of_a_reward_is_shared_like_the_reward() -> None:
    action = Action(kind="buy_get", buy_quantity=1, get_quantity=1, percent=WHOLE)
    outcome = priced([line("a", "3.00"), line("b", "1.00")], promotion("p", action, cap={"GBP": 40}))
    assert nets(outcome) == {"a": 270, "b": 90}


def test_a_cap_of_shipping_counts_too() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=WHOLE), cap={"GBP": 200})
    assert discounts(priced(A10, free, method=post("GBP", 300))) == {"free": 200}


@pytest.mark.parametrize("limit", [{"cap": {"EUR": 1}}, {"budget": {"EUR": 1}}], ids=str)
def test_a_limit_in_another_currency_alone_keeps_the_promotion_out(limit: dict[str, object]) -> None:
    assert discounts(priced(A10, replace(TEN, **limit))) == {}  # type: ignore[arg-type]


def test_all_of_a_discount_must_be_left_of_the_budget() -> None:
    assert discounts(priced(A10, TEN, left={"ten": Left(budget=100)})) == {"ten": 100}
    outcome = priced(A10, TEN, left={"ten": Left(budget=99)})
    assert (discounts(outcome), why_not(outcome)) == ({}, {"ten": "over_budget"})


def test_a_promotion_without_uses_left_does_not_apply() -> None:
    assert discounts(priced(A10, TEN, left={"ten": Left(uses=1)})) == {"ten": 100}
    outcome = priced(A10, TEN, left={"ten": Left(uses=0)})
    assert (discounts(outcome), why_not(outcome)) == ({}, {"ten": "used_up"})


def test_a_shopper_uses_a_promotion_so_many_times() -> None:
    twice = replace(TEN, uses_per_shopper_max=2)
    assert discounts(priced(A10, twice, shopper=Shopper(uses={"ten": 1, "other": 9}))) == {"ten": 100}
    outcome = priced(A10, twice, shopper=Shopper(uses={"ten": 2}))
    assert (discounts(outcome), why_not(outcome)) == ({}, {"ten": "shopper_limit"})
    assert discounts(priced(A10, twice)) == {"ten": 100}


FIRST = Condition(kind="first_order")


@pytest.mark.parametrize(
    "counted",
    [
        replace(TEN, uses_per_shopper_max=2),
        replace(TEN, conditions=(FIRST,)),
        replace(TEN, conditions=(Condition(kind="any_of", any_of=(FIRST, at_least(1))),)),
    ],
    ids=["limit", "first order", "first order within"],
)
def test_what_is_counted_by_shopper_refuses_guests_unless_they_are_counted_by_address(
    counted: Promotion,
) -> None:
    outcome = priced(A10, counted, shopper=Shopper(guest=True))
    assert (discounts(outcome), why_not(outcome)) == ({}, {"ten": "guests"})
    by_email = replace(counted, guests="by_email")
    assert discounts(priced(A10, by_email, shopper=Shopper(guest=True))) == {"ten": 100}
    assert discounts(priced(A10, counted, shopper=Shopper())) == {"ten": 100}
    assert discounts(priced(A10, counted)) == {"ten": 100}


def test_a_guest_may_use_what_nobody_counts() -> None:
    assert discounts(priced(A10, TEN, shopper=Shopper(guest=True))) == {"ten": 100}


# Coupons


CODE = replace(TEN, automatic=False)


def test_a_promotion_by_coupon_needs_one_in_the_cart() -> None:
    assert discounts(priced(A10, CODE)) == {}
    outcome = priced(A10, CODE, codes=["ten"])
    assert discounts(outcome) == {"ten": 100}
    assert outcome.notices == ()


def test_two_coupons_of_one_promotion_apply_once_and_the_first_is_claimed() -> None:
    outcome = priced(A10, CODE, codes={"FIRST": "ten", "SECOND": "ten"})
    assert discounts(outcome) == {"ten": 100}
    assert outcome.notices == ()
    assert [(one.promotion_id, one.amount, one.code) for one in outcome.claims] == [("ten", 100, "FIRST")]


@pytest.mark.parametrize(
    ("given", "context", "why"),
    [
        (replace(CODE, conditions=(at_least(1001),)), {}, "conditions"),
        (replace(CODE, action=off_lines(10, skus("z"))), {}, "nothing_selected"),
        (replace(CODE, starts_at=NOON + SECOND), {}, "window"),
        (replace(CODE, ends_at=NOON), {}, "window"),
        (replace(CODE, markets=("us",)), {}, "market"),
        (replace(CODE, cap={"EUR": 1}), {}, "currency"),
        (replace(CODE, action=Action(kind="shipping_percent", percent=WHOLE)), {}, "nothing_selected"),
        (CODE, {"left": {"ten": Left(uses=0)}}, "used_up"),
        (CODE, {"left": {"ten": Left(budget=1)}}, "over_budget"),
        (replace(CODE, uses_per_shopper_max=1), {"shopper": Shopper(uses={"ten": 1})}, "shopper_limit"),
        (replace(CODE, uses_per_shopper_max=1), {"shopper": Shopper(guest=True)}, "guests"),
        (promotion("other", off_lines(10)), {}, "window"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_coupon_that_does_not_apply_says_why(
    given: Promotion, context: dict[str, object], why: str
) -> None:
    outcome = priced(A10, given, codes=["ten"], **context)
    assert "ten" not in discounts(outcome)
    assert [(one.kind, one.rule, one.why) for one in outcome.notices] == [("coupon_not_applied", "ten", why)]
    assert why_not(outcome) == {"ten": why}


def test_without_a_coupon_only_what_was_near_is_told() -> None:
    outcome = priced(
        A10,
        promotion("conditions", off_lines(10), at_least(1001)),
        promotion("window", off_lines(10), ends_at=NOON),
        promotion("selects nothing", off_lines(10, Selector(not_skus=("A",)))),
        promotion("of others", off_lines(10, skus("z"))),
    )
    assert why_not(outcome) == {}


def test_a_limit_of_what_the_cart_does_not_have_is_not_told() -> None:
    of_others = promotion("of others", off_lines(10, skus("z")))
    assert why_not(priced(A10, of_others, left={"of others": Left(uses=0)})) == {}
    assert why_not(priced(A10, TEN, left={"ten": Left(uses=0)})) == {"ten": "used_up"}


# Gifts


PRESENT = promotion("present", Action(kind="gift", skus=("G", "H")), at_least(1000))
GIFT = gift_line("g", "7.50", "present")


def test_a_gift_is_a_line_at_its_price_wholly_discounted() -> None:
    outcome = priced([*A10, GIFT], PRESENT)
    gift = outcome.lines[1]
    assert (gift.line_total, gift.discount, gift.net, gift.paid) == (750, 750, 0, 0)
    assert gift.gift_of == "present"
    assert discounts(outcome) == {"present": 750}
    assert outcome.total == 1000
    assert [(one.step, one.amount, one.shares) for one in outcome.explanation.steps] == [
        ("gift", -750, {"g": -750})
    ]
    assert [(one.promotion_id, one.amount) for one in outcome.claims] == [("present", 750)]


def test_a_gift_that_is_due_and_not_there_is_told() -> None:
    outcome = priced(A10, PRESENT)
    assert [(one.promotion_id, one.skus, one.quantity) for one in outcome.gifts] == [
        ("present", ("G", "H"), 1)
    ]
    assert [(one.kind, one.rule) for one in outcome.notices] == [("gift_available", "present")]
    assert outcome.claims == ()
    with_line = priced([*A10, GIFT], PRESENT)
    assert with_line.gifts == outcome.gifts
    assert with_line.notices == ()


@pytest.mark.parametrize(
    "lines",
    [
        [line("a", "9.99"), GIFT],
        [*A10, gift_line("z", "7.50", "present")],
        [*A10, gift_line("g", "7.50", "present", 2)],
        [*A10, gift_line("g", "7.50", "nothing")],
    ],
    ids=["not due", "another product", "too many", "of no promotion"],
)
def test_a_gift_that_is_not_due_is_left_out(lines: list[object]) -> None:
    outcome = priced(lines, PRESENT)  # type: ignore[arg-type]
    assert [one.line_id for one in outcome.lines] == ["a"]
    assert outcome.total == outcome.lines[0].line_total


def test_one_gift_line_counts_for_each_promotion() -> None:
    outcome = priced([GIFT, *A10, gift_line("h", "1.00", "present")], PRESENT)
    assert [one.line_id for one in outcome.lines] == ["g", "a"]


def test_a_declined_gift_is_not_due() -> None:
    outcome = priced([*A10, GIFT], PRESENT, declined_gifts=("present",))
    assert [one.line_id for one in outcome.lines] == ["a"]
    assert outcome.gifts == ()
    assert why_not(outcome) == {"present": "declined"}


def test_a_gift_counts_for_no_condition_and_no_other_promotion() -> None:
    rules = (PRESENT, promotion("half", off_cart(50)), promotion("many", less(1), at_least(1001)))
    assert discounts(priced([*A10, GIFT], *rules)) == {"half": 500, "present": 750}


def test_a_gift_must_fit_its_budget_and_its_cap() -> None:
    assert discounts(priced([*A10, GIFT], PRESENT, left={"present": Left(budget=750)})) == {"present": 750}
    outcome = priced([*A10, GIFT], PRESENT, left={"present": Left(budget=749)})
    assert ([one.line_id for one in outcome.lines], outcome.gifts) == (["a"], ())
    assert why_not(outcome) == {"present": "over_budget"}
    outcome = priced([*A10, GIFT], replace(PRESENT, cap={"GBP": 749}))
    assert [one.line_id for one in outcome.lines] == ["a"]


def test_in_a_group_of_the_best_a_gift_applies_only_where_no_other_gives_something() -> None:
    small = promotion("small", less(1), at_least(1000), priority=50)
    for lines in ([*A10, GIFT], A10):
        outcome = priced(lines, *group_of(PRESENT, small))
        assert discounts(outcome) == {"small": 1}
        assert outcome.gifts == ()
        assert why_not(outcome) == {"present": "better_in_group"}
    idle = replace(small, action=less(1, "EUR"))
    assert discounts(priced([*A10, GIFT], *group_of(PRESENT, idle))) == {"present": 750}


def test_a_gift_is_shipped_like_any_line() -> None:
    heavy = replace(GIFT, traits=replace(line("x", "1.00").traits, weight_grams=1000))  # type: ignore[type-var]
    by_weight = replace(
        post("GBP", 100), tiers=(*post("GBP", 100).tiers, replace(post("GBP", 900).tiers[0], at_least=1000))
    )
    with_gift = priced([*A10, heavy], PRESENT, method=by_weight)
    assert with_gift.shipping is not None and with_gift.shipping.rate == 900
    without = priced([line("a", "9.99"), heavy], PRESENT, method=by_weight)
    assert without.shipping is not None and without.shipping.rate == 100


def test_a_gift_counts_among_the_units_that_ship() -> None:
    by_units = replace(
        post("GBP", 100),
        by="quantity",
        tiers=(*post("GBP", 100).tiers, replace(post("GBP", 900).tiers[0], at_least=2)),
    )
    outcome = priced([*A10, GIFT], PRESENT, method=by_units)
    assert outcome.shipping is not None and outcome.shipping.rate == 900
    assert priced(A10, PRESENT, method=by_units).charges[-1].amount == 100


def test_a_gift_alone_is_reason_enough_to_ship() -> None:
    voucher = line("v", "10.00", ships=False)
    outcome = priced([voucher, GIFT], PRESENT, method=post("GBP", 100))
    assert outcome.shipping is not None and outcome.shipping.rate == 100
    assert priced([voucher], PRESENT, method=post("GBP", 100)).shipping is None


# Free delivery


def test_what_is_told_is_the_most_that_a_condition_lacks() -> None:
    free = promotion(
        "free",
        Action(kind="shipping_percent", percent=WHOLE),
        at_least(1),
        at_least(1320),
        at_least(1100),
    )
    outcome = priced(A10, free, method=post("GBP", 300))
    assert [(one.kind, one.rule, one.amount) for one in outcome.notices] == [("free_delivery", "free", 320)]


def test_nothing_is_told_of_free_delivery_that_is_used_up() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=WHOLE), at_least(1))
    outcome = priced(A10, free, method=post("GBP", 300), left={"free": Left(uses=0)})
    assert outcome.notices == ()


def test_how_much_more_makes_delivery_free_is_told() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=WHOLE), at_least(1320))
    outcome = priced(A10, free, method=post("GBP", 300))
    assert [(one.kind, one.rule, one.amount) for one in outcome.notices] == [("free_delivery", "free", 320)]
    nearer = promotion("nearer", Action(kind="shipping_price", price={"GBP": 0}), at_least(1100))
    outcome = priced(A10, free, nearer, method=post("GBP", 300))
    assert [(one.rule, one.amount) for one in outcome.notices] == [("nearer", 100)]


@pytest.mark.parametrize(
    "other",
    [
        promotion("p", Action(kind="shipping_percent", percent=WHOLE - 1), at_least(1320)),
        promotion("p", Action(kind="shipping_price", price={"GBP": 1}), at_least(1320)),
        promotion("p", Action(kind="shipping_percent", percent=WHOLE), at_least(1320), cap={"GBP": 1}),
        promotion(
            "p",
            Action(kind="shipping_percent", percent=WHOLE),
            at_least(1320),
            Condition(kind="countries", countries=("FR",)),
        ),
    ],
    ids=["less than all", "a price", "capped", "another condition"],
)
def test_nothing_is_told_of_delivery_that_an_amount_would_not_make_free(other: Promotion) -> None:
    outcome = priced(A10, other, method=post("GBP", 300), destination=Destination(country="GB"))
    assert outcome.notices == ()


def test_nothing_more_is_asked_for_where_a_budget_alone_keeps_delivery_from_being_free() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=WHOLE), at_least(1000))
    outcome = priced(A10, free, method=post("GBP", 300), left={"free": Left(budget=299)})
    assert (outcome.notices, why_not(outcome)) == ((), {"free": "over_budget"})
