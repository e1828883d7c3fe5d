"""The amounts of a priced cart fit together, and every one of them is explained."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal

import pytest

from aggregates.cart.cart import CartLine
from aggregates.cart.events import TakenPrice
from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import Context, Destination, PricedLine
from aggregates.pricing.explanation import ChargePrice, LinePrice, Step
from aggregates.pricing.matching import tokens
from aggregates.pricing.price import price
from aggregates.pricing.rules import GIFT_CARD, Action, PriceList, Terms
from tests.pricing.cases import (
    BY_WEIGHT,
    NOON,
    at_least,
    less,
    line,
    off_cart,
    off_lines,
    promotion,
    rate,
    skus,
    taxed,
    terms,
)
from tests.pricing.generate import cart
from tests.pricing.priced import nets, priced, steps

CARTS = int(os.environ.get("DAYBOOK_CARTS", "2000"))
TEN = promotion("ten", off_lines(10))


def test_a_cart_without_rules_costs_its_lines() -> None:
    outcome = priced([line("a", "2.555", 2), line("b", "1.00")])
    assert outcome.lines == (
        LinePrice(
            line_id="a",
            sku="A",
            quantity=2,
            unit_price=Decimal("2.555"),
            line_total=511,
            discount=0,
            net=511,
            tax=0,
            paid=511,
        ),
        LinePrice(
            line_id="b",
            sku="B",
            quantity=1,
            unit_price=Decimal("1.00"),
            line_total=100,
            discount=0,
            net=100,
            tax=0,
            paid=100,
        ),
    )
    assert (outcome.total, outcome.currency, outcome.charges) == (611, "GBP", ())
    assert (outcome.shipping, outcome.taxes, outcome.notices, outcome.claims) == (None, (), (), ())
    explanation = outcome.explanation
    assert (explanation.calculation, explanation.terms, explanation.at) == ("daybook-1", 57, NOON)
    assert (explanation.steps, explanation.not_applied) == ((), ())


def test_an_empty_cart_costs_nothing() -> None:
    outcome = priced([], TEN)
    assert (outcome.total, outcome.lines, outcome.explanation.steps) == (0, (), ())


@pytest.mark.parametrize(
    ("quantity", "unit", "total"),
    [(1, "10.00", 1000), (9, "10.00", 9000), (10, "9.00", 9000), (25, "8", 20000)],
)
def test_a_line_costs_the_tier_of_its_quantity(quantity: int, unit: str, total: int) -> None:
    tiers = ((1, Decimal("10.00")), (10, Decimal("9.00")), (20, Decimal("8")))
    outcome = priced([replace(line("a", "1.00", quantity), tiers=tiers)])
    assert (outcome.lines[0].unit_price, outcome.lines[0].line_total) == (Decimal(unit), total)


def test_fewer_units_than_the_first_tier_cost_its_price() -> None:
    outcome = priced([replace(line("a", "1.00", 4), tiers=((5, Decimal("8.75")),))])
    assert outcome.total == 3500


@pytest.mark.parametrize(("currency", "total"), [("GBP", 247), ("JPY", 2), ("KWD", 2469)])
def test_a_total_is_rounded_to_the_currencys_minor_unit(currency: str, total: int) -> None:
    assert priced([line("a", "1.2345", 2)], currency=currency).total == total


def test_a_unit_price_is_explained_unless_it_is_the_products_own() -> None:
    trade = PriceList(list_id="trade", currency="GBP", label="Trade prices")
    tiers = ((1, Decimal("10.00")), (5, Decimal("8.75")))
    lines = [
        replace(line("a", "1.00", 2), tiers=tiers),
        replace(line("b", "1.00", 6), tiers=tiers),
        replace(line("c", "1.00", 2), tiers=tiers, list_id="trade"),
        replace(line("d", "1.00", 5), tiers=tiers, list_id="unlabeled"),
        replace(line("e", "0.00", 5), list_id="trade"),
    ]
    outcome = priced(lines, rules=replace(terms(), price_lists={"trade": trade}))
    assert outcome.explanation.steps == (
        unit_price("base", "base", 6, 5250, "b", "8.75 from 5"),
        unit_price("trade", "Trade prices", 2, 2000, "c", "10.00"),
        unit_price("unlabeled", "unlabeled", 5, 4375, "d", "8.75 from 5"),
        unit_price("trade", "Trade prices", 5, 0, None, "0.00"),
    )


def unit_price(rule: str, label: str, units: int, amount: int, line_id: str | None, rate: str) -> Step:
    shares = {} if line_id is None else {line_id: amount}
    return Step(
        step="unit_price", rule=rule, label=label, base=units, amount=amount, shares=shares, rate=rate
    )


def test_a_line_total_is_explained_where_it_was_rounded() -> None:
    outcome = priced([line("a", "2.555", 3), line("b", "2.550", 3), line("c", "0.001")])
    assert outcome.explanation.steps == (
        Step(
            step="line_total",
            rule="base",
            label="3 at 2.555",
            base=3,
            amount=766,
            shares={"a": 766},
            exact="766.5",
        ),
        Step(step="line_total", rule="base", label="1 at 0.001", base=1, amount=0, shares={}, exact="0.1"),
    )


def test_a_promotion_is_explained_by_base_rate_and_shares() -> None:
    lines = [line("a", "33.33"), line("b", "33.33"), line("c", "33.33"), line("d", "0.00")]
    outcome = priced(lines, replace(promotion("spring10", off_cart(10)), label="10 % off"))
    assert outcome.explanation.steps == (
        Step(
            step="cart_promotion",
            rule="spring10",
            label="10 % off",
            base=9999,
            rate="10 %",
            exact="999.9",
            amount=-1000,
            shares={"a": -334, "b": -333, "c": -333},
        ),
    )
    assert outcome.charges == (ChargePrice(kind="discount", rule="spring10", label="10 % off", amount=-1000),)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Action(kind="per_unit", amount={"GBP": 50}), "0.50 each"),
        (Action(kind="unit_price", price={"GBP": 50}), "at 0.50 each"),
        (less(250), "2.50 off"),
        (off_lines(15), "15 %"),
    ],
    ids=lambda given: getattr(given, "kind", ""),
)
def test_what_was_applied_is_written_for_people(action: Action, said: str) -> None:
    assert [step.rate for step in priced([line("a", "9.00")], promotion("p", action)).explanation.steps] == [
        said
    ]


def test_steps_stand_in_the_order_of_the_calculation() -> None:
    lines = [replace(line("a", "8.005", 3, weight_grams=500), list_id="trade")]
    case = taxed(
        "GBP",
        "GB",
        rate("standard", "20"),
        promotions=[
            promotion("shipping", Action(kind="shipping_amount", amount={"GBP": 100}), priority=300),
            promotion("cart", less(100), priority=200),
            TEN,
        ],
        pricing="exclusive",
    )
    outcome = priced(
        lines,
        rules=replace(case["terms"], shipping_methods={"parcel": BY_WEIGHT}),
        method_id="parcel",
        destination=Destination(country="GB"),
    )
    assert [step.step for step in outcome.explanation.steps] == [
        "unit_price",
        "line_total",
        "line_promotion",
        "cart_promotion",
        "shipping",
        "shipping_promotion",
        "tax",
    ]
    assert [(one.kind, one.rule) for one in outcome.charges] == [
        ("discount", "ten"),
        ("discount", "cart"),
        ("shipping", "parcel"),
        ("discount", "shipping"),
        ("tax", "GB/standard"),
    ]
    assert outcome.total == sum(one.line_total for one in outcome.lines) + sum(
        one.amount for one in outcome.charges
    )


@pytest.mark.parametrize(("pricing", "paid", "tax"), [("inclusive", 1_000, 167), ("exclusive", 1_200, 200)])
def test_gift_cards_are_outside_of_tax(pricing: str, paid: int, tax: int) -> None:
    case = taxed("GBP", "GB", rate("standard", "20"), promotions=[], pricing=pricing)
    lines = [line("card", "25.00", 2, tax_category=GIFT_CARD, ships=False), line("mug", "10.00")]
    outcome = priced(lines, rules=case["terms"], destination=Destination(country="GB"))
    card, mug = outcome.lines
    assert (card.tax, card.paid, card.tax_group) == (0, 5_000, None)
    assert (mug.tax, mug.paid) == (tax, paid)
    assert [(one.group, one.amount) for one in outcome.taxes] == [("GB/standard", tax)]
    assert outcome.total == 5_000 + paid
    alone = priced(lines[:1], rules=case["terms"], destination=Destination(country="GB"))
    assert (alone.total, alone.taxes) == (5_000, ())


def test_the_shares_of_all_steps_make_each_lines_discount() -> None:
    lines = [line("a", "3.33", 4), line("b", "4.99", 2), line("c", "0.01")]
    outcome = priced(lines, TEN, promotion("more", off_cart(7)), promotion("b", off_lines(33, skus("b"))))
    off: dict[str, int] = {}
    for step in outcome.explanation.steps:
        assert sum(step.shares.values()) == step.amount
        for line_id, share in step.shares.items():
            off[line_id] = off.get(line_id, 0) - share
    assert {one.line_id: one.discount for one in outcome.lines if one.discount} == off
    assert all(one.line_total - one.discount == one.net >= 0 for one in outcome.lines)


def test_amounts_are_of_goods_after_their_discounts_for_shipping() -> None:
    outcome = priced([line("a", "50.00")], promotion("p", less(1)), method=BY_WEIGHT)
    assert outcome.shipping is not None and outcome.shipping.rate == 395
    assert [(one.kind, one.amount) for one in outcome.notices] == [("free_delivery", 1)]
    free = priced([line("a", "50.00")], method=BY_WEIGHT)
    assert free.shipping is not None and free.shipping.rate == 0
    assert free.charges == ()


def test_shipping_is_charged_under_the_methods_label() -> None:
    outcome = priced([line("a", "10.00")], method=BY_WEIGHT)
    assert outcome.charges == (ChargePrice(kind="shipping", rule="parcel", label="Parcel", amount=395),)


def test_weight_is_that_of_all_units_that_ship() -> None:
    def shipping(*lines: PricedLine) -> int | None:
        found = priced(lines, method=BY_WEIGHT).shipping
        return found and found.rate

    assert shipping(line("a", "1.00", 2, weight_grams=999)) == 395
    assert shipping(line("a", "1.00", 2, weight_grams=999), line("b", "1.00", weight_grams=2)) == 595
    voucher = line("b", "1.00", weight_grams=9000, ships=False)
    assert shipping(line("a", "1.00", weight_grams=1), voucher) == 395
    assert shipping(voucher) is None
    assert shipping(replace(line("a", "1.00"), traits=None)) == 395


def test_of_promotions_and_methods_the_nearest_free_delivery_is_told() -> None:
    free = promotion("free", Action(kind="shipping_percent", percent=1_000_000), at_least(4000))
    outcome = priced([line("a", "30.00")], free, method=BY_WEIGHT)
    assert [(one.rule, one.amount) for one in outcome.notices] == [("free", 1000)]
    far = replace(free, conditions=(at_least(6000),))
    outcome = priced([line("a", "30.00")], far, method=BY_WEIGHT)
    assert [(one.rule, one.amount) for one in outcome.notices] == [("parcel", 2000)]


def test_what_a_cart_lacks_stands_in_its_notices() -> None:
    outcome = priced([line("a", "30.00")], method_id=None, rules=terms(method=BY_WEIGHT))
    assert [one.kind for one in outcome.notices] == ["shipping_method_required"]
    assert outcome.notices[0].blocks
    assert (outcome.shipping, outcome.total) == (None, 3000)


def test_lines_of_carts_from_before_match_only_what_asks_nothing() -> None:
    old = replace(line("a", "10.00"), traits=None)
    assert nets(priced([old], TEN)) == {"a": 900}
    assert nets(priced([old], promotion("p", off_lines(10, skus("a"))))) == {"a": 1000}


def test_terms_price_many_carts_and_tokens_may_be_made_beforehand() -> None:
    rules = compile_terms(Terms(promotions={"p": promotion("p", off_lines(10, skus("a")))}))
    context = Context(market="main", currency="GBP", at=NOON)
    lines = [line("a", "10.00"), line("b", "10.00")]
    made = [replace(one, tokens=tokens(one.sku, one.traits)) for one in lines]
    assert price(lines, rules, context) == price(made, rules, context) == price(lines, rules, context)
    assert steps(price(made, rules, context), "line_promotion")[0].shares == {"a": -100}


def test_a_cart_that_no_rule_may_concern_costs_the_sum_of_its_lines() -> None:
    """Of whatever is in it. Rules of every kind that are for all markets are made ones of `main`."""
    plain = concerned = 0
    for number in range(CARTS):
        made = cart(number)
        rules = compile_terms(in_main(made.terms) if number % 4 else made.terms)
        lines = [one for one in made.lines if one.gift_of is None]
        for market in ("main", "other", "new"):
            context = replace(made.context, market=market, codes={}, destination=None, method_id=None)
            outcome = price(lines, rules, context)
            said = outcome.charges or outcome.taxes or outcome.shipping or outcome.notices or outcome.gifts
            if rules.may_concern(market):
                concerned += bool(said)
            else:
                plain += 1
                assert not said, (number, market)
                assert outcome.total == sum(one.paid for one in outcome.lines) == sum_in_cart(lines, context)
    assert plain > CARTS // 10
    assert concerned > CARTS // 10


def sum_in_cart(lines: list[PricedLine], context: Context) -> int:
    """What a cart of these lines comes to by its own state, in minor units."""
    return sum(
        CartLine(
            line_id=one.line_id,
            sku=one.sku,
            title="",
            quantity=one.quantity,
            price=TakenPrice(list_id=one.list_id, currency=context.currency, tiers=one.tiers),
        ).line_total.amount
        for one in lines
    )


def in_main(rules: Terms) -> Terms:
    """The rules with those for every market made ones of `main` alone."""
    return replace(
        rules,
        promotions={
            key: replace(one, markets=one.markets or ("main",)) for key, one in rules.promotions.items()
        },
        shipping_methods={
            key: replace(one, markets=one.markets or ("main",)) for key, one in rules.shipping_methods.items()
        },
    )
