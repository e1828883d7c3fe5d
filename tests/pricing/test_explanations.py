"""What a step says of itself: on what, at which rate, how much before rounding, and who bears it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import Left
from aggregates.pricing.explanation import decimal_text
from aggregates.pricing.price import price
from aggregates.pricing.rules import WHOLE, Action, ActionTier, BundlePart
from tests.pricing.cases import (
    Case,
    Outcome,
    at_least,
    line,
    off_cart,
    post,
    promotion,
    rate,
    skus,
    taxed,
)
from tests.pricing.priced import gift_line, priced, why_not

GOODS = (line("a", "10.01", 3), line("b", "20.05"))
EIGHTH = WHOLE // 8
A_AND_B = (BundlePart(selector=skus("a"), quantity=1), BundlePart(selector=skus("b"), quantity=1))


def gbp(amount: int) -> dict[str, int]:
    return {"GBP": amount}


def action(kind: Any, **facts: Any) -> Action:
    return Action(kind=kind, **facts)


@pytest.mark.parametrize(
    ("given", "base", "rate", "exact", "shares"),
    [
        (action("percent", percent=EIGHTH, selector=skus("a")), 3003, "12.5 %", "375.375", {"a": -375}),
        (action("percent", percent=EIGHTH), 5008, "12.5 %", None, {"a": -375, "b": -251}),
        (
            action(
                "percent",
                tiers=(ActionTier(quantity=1, percent=100_000), ActionTier(quantity=3, percent=EIGHTH)),
            ),
            5008,
            "10 %, 12.5 %",
            "575.875",
            {"a": -375, "b": -200},
        ),
        (
            action("percent", tiers=(ActionTier(quantity=4, percent=EIGHTH),), tiers_by="selection"),
            5008,
            "12.5 %",
            None,
            {"a": -375, "b": -251},
        ),
        (action("per_unit", amount=gbp(150)), 5008, "1.50 each", None, {"a": -450, "b": -150}),
        (action("unit_price", price=gbp(950)), 5008, "at 9.50 each", None, {"a": -153, "b": -1055}),
        (
            action("buy_get", buy_quantity=2, get_quantity=1, percent=WHOLE // 2),
            1001,
            "1 at 50 %",
            "500.5",
            {"a": -250, "b": -250},
        ),
        (
            action("buy_get", buy_quantity=2, get_quantity=1, percent=WHOLE // 2, spread="rewarded"),
            1001,
            "1 at 50 %",
            "500.5",
            {"a": -500},
        ),
        (action("bundle", parts=A_AND_B, price=gbp(2500)), 3006, "1 at 25.00", None, {"a": -168, "b": -338}),
        (
            action("bundle", parts=A_AND_B, percent=EIGHTH),
            3006,
            "1 at 12.5 % off",
            "375.75",
            {"a": -125, "b": -251},
        ),
        (action("bundle", parts=A_AND_B, amount=gbp(99)), 3006, "1 at 0.99 off", None, {"a": -33, "b": -66}),
        (action("percent_off", percent=EIGHTH), 5008, "12.5 %", None, {"a": -375, "b": -251}),
        (action("amount_off", amount=gbp(500)), 5008, "5.00 off", None, {"a": -300, "b": -200}),
        (action("shipping_percent", percent=EIGHTH), 395, "12.5 %", "49.375", {"shipping": -49}),
        (action("shipping_amount", amount=gbp(150)), 395, "1.50", None, {"shipping": -150}),
        (action("shipping_price", price=gbp(100)), 395, "at 1.00", None, {"shipping": -295}),
        (action("gift", skus=("G",)), 750, None, None, {"g": -750}),
    ],
    ids=lambda given: getattr(given, "kind", ""),
)
def test_each_action_says_on_what_at_which_rate_and_who_bears_it(
    given: Action, base: int, rate: str | None, exact: str | None, shares: dict[str, int]
) -> None:
    outcome = priced([*GOODS, gift_line("g", "7.50", "p")], promotion("p", given), method=post("GBP", 395))
    (step,) = [step for step in outcome.explanation.steps if step.rule == "p"]
    assert (step.base, step.rate, step.exact, step.shares) == (base, rate, exact, shares)
    assert step.amount == sum(shares.values())


def test_a_capped_step_says_what_it_would_have_been() -> None:
    outcome = priced(GOODS, promotion("p", action("percent", percent=EIGHTH), cap=gbp(100)))
    (step,) = outcome.explanation.steps
    assert (step.base, step.amount, step.exact, step.shares) == (5008, -100, "626", {"a": -60, "b": -40})


def test_a_reward_of_goods_that_are_partly_the_bought_ones_takes_the_cheapest() -> None:
    goods = (line("c", "5.00", 2), line("b", "3.00", 2), line("a", "9.00"))
    one_for_one = action(
        "buy_get", buy=skus("a", "c"), buy_quantity=1, get=skus("b", "c"), get_quantity=1, percent=WHOLE
    )
    # Both of b: a third unit would be one of c, and the two that are then left outside earn no three.
    (step,) = priced(goods, promotion("p", one_for_one)).explanation.steps
    assert (step.base, step.rate) == (600, "2 at 100 %")


def test_the_rest_of_a_group_says_what_kept_it_out() -> None:
    def outcome(amount: int, **left: int) -> dict[str, str]:
        return why_not(
            priced(
                GOODS,
                promotion("p", action("percent", percent=EIGHTH), group="g"),
                promotion("q", off_cart(50), at_least(amount), group="g", automatic=False),
                codes=["q"],
                left={name: Left(uses=uses) for name, uses in left.items()},
            )
        )

    assert outcome(1) == {"q": "better_in_group"}
    assert outcome(5000) == {"q": "conditions"}
    assert outcome(1, q=0) == {"q": "used_up"}


def test_the_worse_of_a_group_says_so_and_not_the_better() -> None:
    better = promotion("p", action("percent", percent=EIGHTH), group="g")
    worse = promotion("q", action("percent", percent=1000), group="g")
    assert why_not(priced(GOODS, better, worse)) == {"q": "better_in_group"}
    assert why_not(priced(GOODS, better, replace(worse, priority=200))) == {"q": "better_in_group"}


def test_a_ninth_exclusive_is_not_tried_and_neither_is_a_tenth() -> None:
    alone = [
        promotion(f"p{number}", off_cart(10 + number), exclusive=True, automatic=False)
        for number in range(10)
    ]
    outcome = priced(GOODS, *alone, codes=[each.promotion_id for each in alone])
    assert [claim.promotion_id for claim in outcome.claims] == ["p7"]
    assert why_not(outcome) == {each.promotion_id: "exclusive" for each in alone if each.promotion_id != "p7"}


def test_nothing_is_told_of_free_delivery_by_what_an_exclusive_keeps_out() -> None:
    free = promotion("free", action("shipping_percent", percent=WHOLE), at_least(6000))
    kinds = {one.kind for one in priced(GOODS, free, method=post("GBP", 395)).notices}
    assert "free_delivery" in kinds
    alone = promotion("alone", off_cart(10), exclusive=True)
    kinds = {one.kind for one in priced(GOODS, free, alone, method=post("GBP", 395)).notices}
    assert "free_delivery" not in kinds


def test_a_line_and_shipping_name_their_group_of_tax() -> None:
    case = Case(
        name="",
        lines=GOODS,
        outcome=Outcome(),
        **taxed("GBP", "GB", rate("standard", "20"), shipping=395),
    )
    outcome = price(case.lines, compile_terms(case.terms), case.context)
    assert {one.tax_group for one in outcome.lines} == {"GB/standard"}
    assert outcome.shipping is not None
    assert outcome.shipping.label == "Post"
    assert outcome.shipping.tax_groups == {"GB/standard": outcome.shipping.tax}
    assert [one.tax_group for one in priced(GOODS).lines] == [None, None]


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (5, 2, "2.5"),
        (-5, 2, "-2.5"),
        (-1, 4, "-0.25"),
        (-8, 2, "-4"),
        (0, 3, "0"),
        (-1, 100_000, "0"),
        (199_999, 100_000, "1.9999"),
        (100, 1, "100"),
    ],
)
def test_a_quotient_is_written_with_its_sign_and_up_to_four_decimals(
    numerator: int, denominator: int, text: str
) -> None:
    assert decimal_text(numerator, denominator) == text
