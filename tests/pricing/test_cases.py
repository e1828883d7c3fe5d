"""The acceptance cases come out to the minor unit, by the calculation and by its second opinion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.offer import ListPrice
from aggregates.pricing.price import price
from aggregates.pricing.refunds import Tender, by_tender
from aggregates.pricing.selecting import Point, choose, prior_price, unit_price
from tests.pricing.cases import (
    CASES,
    CHOICE_CASES,
    LISTS,
    PRIOR_CASES,
    REFUND_CASES,
    Case,
    ChoiceCase,
    PriorCase,
    RefundCase,
)
from tests.pricing.laws import after, refunded, sold
from tests.pricing.reference import lists, refunds
from tests.pricing.reference import price as reference
from tests.pricing.summary import Calculation, engine, second_opinion

CALCULATIONS = pytest.mark.parametrize("calculate", [engine, second_opinion])

Refund = Callable[[dict[str, int] | None, int | None], tuple[int, int, dict[str, int]]]
"""Gives units or an amount back: the money, the tax in it, and by tender."""
Begin = Callable[[RefundCase], Refund]


def by_engine(case: RefundCase) -> Refund:
    """Refunds of a case's order, one after the other."""
    made = case.case
    priced = price(made.lines, compile_terms(made.terms), made.context)
    left, rest = sold(priced), priced.total
    methods = []
    for name, amount in case.credit:
        methods.append(Tender(name, amount))
        rest -= amount
    methods.append(Tender("card", rest))

    def refund(units: dict[str, int] | None, amount: int | None) -> tuple[int, int, dict[str, int]]:
        nonlocal left, methods
        shares = refunded(left, (units, amount))
        left = after(left, shares)
        back = by_tender(sum(share.amount for share in shares), methods)
        methods = [replace(each, refunded=each.refunded + back.get(each.tender, 0)) for each in methods]
        return sum(back.values()), sum(share.tax for share in shares), back

    return refund


def by_second_opinion(case: RefundCase) -> Refund:
    """The same by the reference."""
    made = case.case
    outcome = reference.price(made.lines, made.terms, made.context)
    sale = refunds.Sale(outcome.bought(), refunds.tenders_of(outcome.total, case.credit))

    def refund(units: dict[str, int] | None, amount: int | None) -> tuple[int, int, dict[str, int]]:
        if units is not None:
            back = sale.of_units(units, amount)
        else:
            assert amount is not None
            back = sale.of_amount(amount)
        return back.amount, back.tax, back.tenders

    return refund


REFUNDS = pytest.mark.parametrize("begin", [by_engine, by_second_opinion])


@CALCULATIONS
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_cart_costs_what_its_case_says(case: Case, calculate: Calculation) -> None:
    found, expected = calculate(case.lines, case.terms, case.context), case.outcome
    by_line = {
        "line_totals": (expected.line_totals, 0),
        "nets": (expected.nets, 2),
        "taxes": (expected.taxes, 3),
        "paid": (expected.paid, 4),
    }
    for name, (amounts, index) in by_line.items():
        assert {line_id: found.lines[line_id][index] for line_id in amounts} == amounts, name
    if expected.discounts or expected.no_discounts:
        assert found.discounts == expected.discounts
    if expected.components:
        assert found.components == expected.components
    by_total = {
        "total": (expected.total, found.total),
        "tax": (expected.tax, found.tax),
        "tax_charge": (expected.tax_charge, found.charges["tax"]),
        "shipping": (expected.shipping, found.shipping and found.shipping[1][2]),
        "shipping_tax": (expected.shipping_tax, found.shipping and found.shipping[1][3]),
        "shipping_paid": (expected.shipping_paid, found.shipping and found.shipping[1][4]),
    }
    for name, (amount, got) in by_total.items():
        assert amount is None or got == amount, name
    assert found.blocking == ()


@REFUNDS
@pytest.mark.parametrize("case", REFUND_CASES, ids=lambda case: case.name)
def test_what_goes_back_is_what_its_case_says(case: RefundCase, begin: Begin) -> None:
    refund = begin(case)
    for given in case.refunds:
        units = None if given.line_id is None else {given.line_id: 1}
        assert refund(units, given.amount) == (given.back, given.tax, given.tenders or {"card": given.back})


@pytest.mark.parametrize("case", CHOICE_CASES, ids=lambda case: case.name)
def test_a_line_takes_the_list_that_its_case_says(case: ChoiceCase) -> None:
    prices = [ListPrice(price_list=head, tiers=tiers) for head, tiers in LISTS]
    chosen = choose(prices, "GBP", None, case.customer_groups, case.quantity)
    opinion = lists.choose(
        LISTS,
        currency="GBP",
        market="main",
        tax_included=True,
        customer_groups=case.customer_groups,
        quantity=case.quantity,
    )
    assert chosen is not None and opinion is not None
    assert chosen.list_id == opinion.list_id == case.list_id
    assert (None if chosen.was is None else str(chosen.was)) == case.was
    assert opinion.was == (None if case.was is None else Fraction(case.was))
    unit = unit_price(chosen.tiers, case.quantity)
    assert unit * case.quantity * 100 == case.line_total
    assert Fraction(unit) == opinion.unit_price


@pytest.mark.parametrize("case", PRIOR_CASES, ids=lambda case: case.name)
def test_the_prior_price_is_what_its_case_says(case: PriorCase) -> None:
    points = [Point(*point) for point in case.points]
    assert prior_price(points, progressive=case.progressive) == case.prior
    assert lists.prior_price(case.points, progressive=case.progressive) == case.prior
