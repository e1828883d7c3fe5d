"""A promotion that could never apply is refused when it is defined, by the part that makes it so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aggregates.pricing.discounts import EXCLUSIVES_MAX
from aggregates.pricing.rules import Action, ActionTier, BundlePart, Condition, Promotion, Selector
from aggregates.terms.checks import RULES_MAX
from aggregates.terms.events import (
    MarketDefined,
    PromotionDefined,
    PromotionEnded,
    PromotionStarted,
)
from aggregates.terms.promotions import (
    Units,
    define_promotion,
    end_promotion,
    start_promotion,
)
from aggregates.terms.reasons import PromotionUnfit, TooManyRules, UnknownRule
from tests.aggregates.given import given
from tests.terms.samples import (
    AMERICA,
    BRITAIN,
    JUNE,
    KITCHEN,
    MAY,
    PERCENT,
    promotions,
    ten_percent,
    unusual,
)

UNITS = Units(line=999, cart=999 * 999)
MARKETS = (MarketDefined(market=BRITAIN), MarketDefined(market=AMERICA))
NEEDED = "is needed, above 0 or not empty:"


def action(kind: Any, **parts: Any) -> Promotion:
    return ten_percent(action=Action(kind=kind, **parts))


def condition(kind: Any, **parts: Any) -> Promotion:
    return ten_percent(conditions=(Condition(kind=kind, **parts),))


def tiers(kind: Any, *tiers: ActionTier) -> Promotion:
    return action(kind, tiers=tiers)


def from_amount(amount: int, off: int = 100, currency: str = "GBP") -> ActionTier:
    return ActionTier(from_amount={currency: amount}, amount={currency: off})


UNFIT: list[tuple[Promotion, str, str]] = [
    # The window.
    (ten_percent(starts_at=JUNE, ends_at=MAY), "ends_at", "is not after starts_at"),
    (ten_percent(starts_at=MAY, ends_at=MAY), "ends_at", "is not after starts_at"),
    (ten_percent(ends_at=MAY - timedelta(days=1)), "ends_at", "is over"),
    # Markets, limits.
    (ten_percent(markets=("gb", "fr")), "markets.1", "is no market that is defined"),
    (ten_percent(markets=("gb", "gb")), "markets.1", "is there twice"),
    (ten_percent(uses_max=0), "uses_max", "is below 1"),
    (ten_percent(uses_per_shopper_max=0), "uses_per_shopper_max", "is below 1"),
    (ten_percent(budget={"GBP": 0}), "budget.GBP", "is below 1"),
    (ten_percent(cap={"ABC": 5}), "cap.ABC", "is no ISO 4217 currency code"),
    (ten_percent(group_mode="first"), "group_mode", "is for a group"),
    # Actions: what is missing, what is of another kind, what is there beside another.
    (action("percent"), "action.percent", f"{NEEDED} percent or tiers"),
    (action("per_unit"), "action.amount", f"{NEEDED} amount"),
    (action("unit_price"), "action.price", f"{NEEDED} price"),
    (action("buy_get", get_quantity=1, percent=PERCENT), "action.buy_quantity", f"{NEEDED} buy_quantity"),
    (action("buy_get", buy_quantity=1, percent=PERCENT), "action.get_quantity", f"{NEEDED} get_quantity"),
    (action("buy_get", buy_quantity=1, get_quantity=1), "action.percent", f"{NEEDED} percent"),
    (action("bundle", price={"GBP": 1}), "action.parts", f"{NEEDED} parts"),
    (
        action("bundle", parts=(BundlePart(selector=KITCHEN, quantity=2),)),
        "action.price",
        f"{NEEDED} price or percent or amount",
    ),
    (
        action(
            "bundle", parts=(BundlePart(selector=KITCHEN, quantity=2),), price={"GBP": 1}, percent=PERCENT
        ),
        "action.percent",
        "is there beside price: give price or percent or amount",
    ),
    (action("percent_off"), "action.percent", f"{NEEDED} percent or tiers"),
    (action("amount_off"), "action.amount", f"{NEEDED} amount or tiers"),
    (action("gift"), "action.skus", f"{NEEDED} skus"),
    (action("shipping_percent"), "action.percent", f"{NEEDED} percent"),
    (action("shipping_amount"), "action.amount", f"{NEEDED} amount"),
    (action("shipping_price"), "action.price", f"{NEEDED} price"),
    (action("percent_off", percent=PERCENT, amount={"GBP": 1}), "action.amount", "is no part of percent_off"),
    (
        action("shipping_percent", percent=PERCENT, selector=KITCHEN),
        "action.selector",
        "is no part of shipping_percent",
    ),
    (action("gift", skus=("MUG",), times_max=2), "action.times_max", "is no part of gift"),
    (action("per_unit", amount={"GBP": 1}, spread="rewarded"), "action.spread", "is no part of per_unit"),
    # Actions: what they give.
    (action("percent", percent=100 * PERCENT + 1), "action.percent", "is over 100 %"),
    (action("percent_off", percent=-1), "action.percent", "is below 0"),
    (action("per_unit", amount={"GBP": 0}), "action.amount.GBP", "is below 1"),
    (action("amount_off", amount={"XYZ": 5}), "action.amount.XYZ", "is no ISO 4217 currency code"),
    (action("unit_price", price={"GBP": -1}), "action.price.GBP", "is below 0"),
    (action("gift", skus=("MUG", "MUG")), "action.skus.1", "is there twice"),
    (
        action("gift", skus=("MUG",), quantity=1_000),
        "action.quantity",
        "is more units than there may be: 999",
    ),
    (
        action("buy_get", buy_quantity=999 * 999, get_quantity=1, percent=PERCENT),
        "action.get_quantity",
        "is more units than there may be: 998001",
    ),
    (
        action("buy_get", buy_quantity=2, get_quantity=1, percent=PERCENT, times_max=0),
        "action.times_max",
        "is below 1",
    ),
    (
        action("bundle", parts=(BundlePart(selector=KITCHEN, quantity=0),), price={"GBP": 1}),
        "action.parts.0.quantity",
        "is below 1",
    ),
    # Tiers.
    (
        tiers("percent", ActionTier(quantity=6, percent=PERCENT), ActionTier(quantity=6, percent=PERCENT)),
        "action.tiers.1.quantity",
        "does not start above the tier before",
    ),
    (
        tiers("percent", ActionTier(quantity=1_000, percent=PERCENT)),
        "action.tiers.0.quantity",
        "is more units than there may be: 999",
    ),
    (tiers("percent", ActionTier(percent=PERCENT)), "action.tiers.0.quantity", "is below 1"),
    (tiers("percent", ActionTier(quantity=3)), "action.tiers.0.percent", "is 0"),
    (
        tiers("percent", ActionTier(quantity=3, percent=100 * PERCENT + 1)),
        "action.tiers.0.percent",
        "is over 100 %",
    ),
    (
        tiers("percent", ActionTier(quantity=3, percent=PERCENT, amount={"GBP": 1})),
        "action.tiers.0.amount",
        "is no part of a tier of percent",
    ),
    (tiers("percent_off", ActionTier(percent=PERCENT)), "action.tiers.0.from_amount", "names no currency"),
    (
        tiers("amount_off", from_amount(9_000), from_amount(5_000)),
        "action.tiers.1.from_amount.GBP",
        "does not start above the tier before",
    ),
    (
        tiers("amount_off", from_amount(5_000), from_amount(9_000, currency="USD")),
        "action.tiers.1.from_amount",
        "is not in the same currencies as the others: GBP",
    ),
    (
        tiers("amount_off", ActionTier(from_amount={"GBP": 5}, amount={"USD": 5})),
        "action.tiers.0.amount",
        "is not in the same currencies as the others: GBP",
    ),
    (
        action("percent", percent=PERCENT, tiers=(ActionTier(quantity=3, percent=PERCENT),)),
        "action.tiers",
        "is there beside percent: give percent or tiers",
    ),
    (action("percent", percent=PERCENT, tiers_by="selection"), "action.tiers_by", "is for tiers"),
    # Selectors.
    (
        action("percent", percent=PERCENT, selector=Selector(skus=("A",), not_skus=("A", "B"))),
        "action.selector.not_skus",
        "leaves nothing of its skus",
    ),
    (
        action(
            "percent",
            percent=PERCENT,
            selector=Selector(categories=("Kitchen > Mugs",), not_categories=("Kitchen",)),
        ),
        "action.selector.not_categories",
        "leaves nothing of its categories",
    ),
    (
        condition("quantity_at_least", quantity=1, selector=Selector(attributes={"color": ()})),
        "conditions.0.selector.attributes.color",
        "names no value",
    ),
    # Conditions.
    (condition("amount_at_least"), "conditions.0.amount", f"{NEEDED} amount"),
    (condition("quantity_at_least"), "conditions.0.quantity", f"{NEEDED} quantity"),
    (condition("customer_groups"), "conditions.0.customer_groups", f"{NEEDED} customer_groups"),
    (condition("countries"), "conditions.0.countries", f"{NEEDED} countries"),
    (condition("any_of"), "conditions.0.any_of", f"{NEEDED} any_of"),
    (condition("first_order", quantity=1), "conditions.0.quantity", "is no part of first_order"),
    (
        condition("countries", countries=("GB",), amount={"GBP": 1}),
        "conditions.0.amount",
        "is no part of countries",
    ),
    (condition("amount_at_least", amount={"GBP": 0}), "conditions.0.amount.GBP", "is below 1"),
    (condition("countries", countries=("GB", "GB")), "conditions.0.countries.1", "is there twice"),
    (
        condition("quantity_at_least", quantity=999 * 999 + 1),
        "conditions.0.quantity",
        "is more units than there may be: 998001",
    ),
    (
        condition("any_of", any_of=(Condition(kind="countries"),)),
        "conditions.0.any_of.0.countries",
        f"{NEEDED} countries",
    ),
    (
        condition("any_of", any_of=(Condition(kind="any_of", any_of=(Condition(kind="first_order"),)),)),
        "conditions.0.any_of.0.kind",
        "is any_of within any_of: list its conditions here",
    ),
    # What contradicts itself.
    (
        ten_percent(action=Action(kind="amount_off", amount={"USD": 5}), markets=("gb",)),
        "action.amount",
        "is in no currency in which the rest applies",
    ),
    (
        ten_percent(
            action=Action(kind="amount_off", amount={"USD": 5}),
            conditions=(Condition(kind="amount_at_least", amount={"GBP": 5}),),
        ),
        "conditions.0.amount",
        "is in no currency in which the rest applies",
    ),
    (
        ten_percent(
            action=Action(kind="amount_off", amount={"USD": 5}),
            conditions=(
                Condition(kind="any_of", any_of=(Condition(kind="amount_at_least", amount={"GBP": 5}),)),
            ),
        ),
        "conditions.0.any_of",
        "is in no currency in which the rest applies",
    ),
    (
        ten_percent(cap={"GBP": 5}, budget={"USD": 500}),
        "cap",
        "is in no currency in which the rest applies",
    ),
    (
        ten_percent(conditions=(Condition(kind="countries", countries=("US",)),), markets=("gb",)),
        "conditions.0.countries",
        "are none in which the rest applies",
    ),
]


@pytest.mark.parametrize(
    ("promotion", "field", "why"), UNFIT, ids=[f"{field} {why}" for _, field, why in UNFIT]
)
def test_a_promotion_that_could_never_apply_is_refused(promotion: Promotion, field: str, why: str) -> None:
    given(*MARKETS).when(define_promotion, promotion=promotion, units=UNITS, at=MAY).then_rejected(
        PromotionUnfit(field, why)
    )


@pytest.mark.parametrize(
    "promotion", [*promotions()[::10], *promotions()[-3:], *unusual()], ids=lambda one: one.promotion_id
)
def test_one_that_can_apply_is_taken_once(promotion: Promotion) -> None:
    given(*MARKETS).when(define_promotion, promotion=promotion, units=UNITS, at=MAY).then_once(
        PromotionDefined(promotion=promotion)
    )


def test_200_are_taken_beside_each_other() -> None:
    before: list[Any] = [*MARKETS]
    for promotion in promotions():
        decided = given(*before[:2], *before[-20:]).when(
            define_promotion, promotion=promotion, units=UNITS, at=MAY
        )
        decided.then(PromotionDefined(promotion=promotion))
        before += decided.decided


def test_main_is_a_market_without_being_defined_and_sells_in_every_currency() -> None:
    promotion = ten_percent(action=Action(kind="amount_off", amount={"JPY": 5}), markets=("main", "gb"))
    given(*MARKETS).when(define_promotion, promotion=promotion, units=UNITS, at=MAY).then_once(
        PromotionDefined(promotion=promotion)
    )


def test_the_same_again_changes_nothing_even_when_it_is_over() -> None:
    promotion = ten_percent(ends_at=JUNE)
    defined = given(PromotionDefined(promotion=promotion))
    defined.when(
        define_promotion, promotion=promotion, units=UNITS, at=JUNE + timedelta(days=1)
    ).then_nothing()


def test_another_of_the_same_id_replaces_it() -> None:
    other = ten_percent(label="Ten")
    given(PromotionDefined(promotion=ten_percent())).when(
        define_promotion, promotion=other, units=UNITS, at=MAY
    ).then_once(PromotionDefined(promotion=other))


CART = ten_percent("cart", group="g")
IN_A_GROUP: list[tuple[Promotion, Promotion, str | None]] = [
    (CART, ten_percent("other", group="g"), None),
    (CART, ten_percent("other", group="h", action=Action(kind="percent", percent=PERCENT)), None),
    (CART, ten_percent("other", group="g", group_mode="first"), "group_mode"),
    (CART, ten_percent("other", group="g", action=Action(kind="gift", skus=("MUG",))), None),
    (CART, ten_percent("other", group="g", action=Action(kind="percent", percent=PERCENT)), "action.kind"),
    (
        CART,
        ten_percent("other", group="g", action=Action(kind="shipping_percent", percent=PERCENT)),
        "action.kind",
    ),
    (
        replace(CART, group_mode="first"),
        ten_percent("other", group="g", group_mode="first", action=Action(kind="percent", percent=PERCENT)),
        None,
    ),
]


@pytest.mark.parametrize(("member", "new", "field"), IN_A_GROUP)
def test_the_members_of_a_group_are_of_one_mode_and_those_of_a_best_group_of_one_step(
    member: Promotion, new: Promotion, field: str | None
) -> None:
    then = given(PromotionDefined(promotion=member)).when(
        define_promotion, promotion=new, units=UNITS, at=MAY
    )
    if field is None:
        then.then_once(PromotionDefined(promotion=new))
    else:
        assert isinstance(then.reason, PromotionUnfit)
        assert then.reason.field == field
        assert "cart" in then.reason.why


def test_no_more_exclusive_promotions_are_open_at_once_than_a_cart_is_priced_with() -> None:
    exclusives = [ten_percent(f"e{n}", exclusive=True, starts_at=MAY) for n in range(EXCLUSIVES_MAX)]
    defined = [PromotionDefined(promotion=one) for one in exclusives]
    one_more = ten_percent("more", exclusive=True)
    unfit = PromotionUnfit("exclusive", "is what 8 others are at the same time")
    define: dict[str, Any] = {"units": UNITS, "at": MAY}
    given(*defined).when(define_promotion, promotion=one_more, **define).then_rejected(unfit)
    # Not those that are over when it opens, or open when it is over, or apply together.
    for fits in (replace(one_more, ends_at=MAY + timedelta(days=1), starts_at=None), one_more):
        before = [replace(one, starts_at=MAY + timedelta(days=1)) for one in exclusives]
        then = given(*(PromotionDefined(promotion=one) for one in before)).when(
            define_promotion, promotion=fits, **define
        )
        if fits.ends_at is None:
            then.then_rejected(unfit)
        else:
            then.then_once(PromotionDefined(promotion=fits))
    given(*defined).when(define_promotion, promotion=ten_percent("more"), **define).then_once(
        PromotionDefined(promotion=ten_percent("more"))
    )
    # Eight windows of which never more than one is open.
    rows = [
        replace(one, starts_at=MAY + timedelta(days=n), ends_at=MAY + timedelta(days=n + 1))
        for n, one in enumerate(exclusives)
    ]
    given(*(PromotionDefined(promotion=one) for one in rows)).when(
        define_promotion, promotion=one_more, **define
    ).then_once(PromotionDefined(promotion=one_more))
    ended = PromotionEnded(promotion_id="e3", reason="over")
    given(*defined, ended).when(define_promotion, promotion=one_more, **define).then_once(
        PromotionDefined(promotion=one_more)
    )


def test_there_are_only_so_many() -> None:
    many = [PromotionDefined(promotion=ten_percent(f"p{n}")) for n in range(RULES_MAX)]
    new, known = ten_percent("new"), ten_percent("p7", label="Another")
    defined = given(*many)
    defined.when(define_promotion, promotion=new, units=UNITS, at=MAY).then_rejected(
        TooManyRules("promotion", RULES_MAX)
    )
    defined.when(define_promotion, promotion=known, units=UNITS, at=MAY).then_once(
        PromotionDefined(promotion=known)
    )


def test_a_promotion_starts_once_and_ends_once() -> None:
    defined = given(PromotionDefined(promotion=ten_percent()))
    defined.when(start_promotion, promotion_id="ten", now=MAY).then_once(PromotionStarted(promotion_id="ten"))
    defined.when(end_promotion, promotion_id="ten", reason="sold out").then_once(
        PromotionEnded(promotion_id="ten", reason="sold out")
    )
    ended = given(
        PromotionDefined(promotion=ten_percent()), PromotionEnded(promotion_id="ten", reason="sold out")
    )
    ended.when(start_promotion, promotion_id="ten", now=MAY).then_nothing()
    given().when(start_promotion, promotion_id="ten", now=MAY).then_rejected(UnknownRule("promotion", "ten"))
    given().when(end_promotion, promotion_id="ten", reason="-").then_rejected(UnknownRule("promotion", "ten"))


def test_one_that_was_ended_may_be_defined_again() -> None:
    ended = given(
        PromotionDefined(promotion=ten_percent()), PromotionEnded(promotion_id="ten", reason="sold out")
    )
    ended.when(define_promotion, promotion=ten_percent(), units=UNITS, at=MAY).then_once(
        PromotionDefined(promotion=ten_percent())
    )
