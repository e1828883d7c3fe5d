"""The acceptance cases come out to the minor unit, by the calculation and by its second opinion."""

from __future__ import annotations

from fractions import Fraction

import pytest

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
from tests.pricing.reference import lists, refunds
from tests.pricing.reference.numbers import half_even
from tests.pricing.reference.price import price
from tests.pricing.summary import Calculation, second_opinion

CALCULATIONS = pytest.mark.parametrize("calculate", [second_opinion])


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


@pytest.mark.parametrize("case", REFUND_CASES, ids=lambda case: case.name)
def test_what_goes_back_by_the_second_opinion(case: RefundCase) -> None:
    outcome = price(case.case.lines, case.case.terms, case.case.context)
    sale = refunds.Sale(outcome.bought(), refunds.tenders_of(outcome.total, case.credit))
    for given in case.refunds:
        if given.line_id is None:
            assert given.amount is not None
            back = sale.of_amount(given.amount)
        else:
            back = sale.of_units({given.line_id: 1})
        assert (back.amount, back.tax) == (given.back, given.tax)
        assert back.tenders == (given.tenders or {"card": given.back})


@pytest.mark.parametrize("case", CHOICE_CASES, ids=lambda case: case.name)
def test_a_line_takes_its_list_by_the_second_opinion(case: ChoiceCase) -> None:
    chosen = lists.choose(
        LISTS,
        currency="GBP",
        market="main",
        tax_included=True,
        customer_groups=case.customer_groups,
        quantity=case.quantity,
    )
    assert chosen is not None
    assert chosen.list_id == case.list_id
    assert chosen.was == (None if case.was is None else Fraction(case.was))
    assert half_even(chosen.unit_price * case.quantity * 100) == case.line_total


@pytest.mark.parametrize("case", PRIOR_CASES, ids=lambda case: case.name)
def test_the_prior_price_by_the_second_opinion(case: PriorCase) -> None:
    assert lists.prior_price(case.points, progressive=case.progressive) == case.prior
