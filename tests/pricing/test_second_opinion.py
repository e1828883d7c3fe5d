"""The calculation and its second opinion agree on carts by chance. DAYBOOK_CARTS=N tries more of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from random import Random

import pytest

from aggregates.pricing.offer import ListPrice
from aggregates.pricing.refunds import RefundShare, by_tender, refund_rest
from aggregates.pricing.rules import PriceList
from aggregates.pricing.selecting import Point, choose, prior_price, unit_price
from tests.pricing.generate import NOW, Chance, cart
from tests.pricing.laws import PricedCart, after, priced_carts, refunded, sold, some_refund, tenders
from tests.pricing.reference import lists, refunds
from tests.pricing.reference import price as reference
from tests.pricing.summary import of_priced, of_reference

CARTS = int(os.environ.get("DAYBOOK_CARTS", "1000"))


@pytest.fixture(scope="module")
def carts() -> list[tuple[PricedCart, reference.Outcome]]:
    return [(one, second_opinion(one.number)) for one in priced_carts(range(CARTS))]


@lru_cache(maxsize=2048)  # as `cart`
def second_opinion(number: int) -> reference.Outcome:
    made = cart(number)
    return reference.price(made.lines, made.terms, made.context)


def test_they_agree_on_every_amount(carts: list[tuple[PricedCart, reference.Outcome]]) -> None:
    for one, outcome in carts:
        assert of_priced(one.priced) == of_reference(outcome), one


def test_they_agree_on_what_goes_back(carts: list[tuple[PricedCart, reference.Outcome]]) -> None:
    for one, outcome in carts:
        chance = Random(one.number)
        left, methods = sold(one.priced), tenders(one.priced, chance)
        sale = refunds.Sale(
            outcome.bought(),
            refunds.tenders_of(outcome.total, [(each.tender, each.amount) for each in methods[:-1]]),
        )
        for _ in range(4):
            refund = some_refund(left, chance)
            if refund is None:
                continue
            units, amount = refund
            shares = refunded(left, refund)
            if units is not None:
                opinion = sale.of_units(units, amount)
            else:
                assert amount is not None
                opinion = sale.of_amount(amount)
            left = after(left, shares)
            assert_same(one, shares, opinion)
            back = by_tender(opinion.amount, methods)
            assert back == opinion.tenders, one
            methods = [replace(each, refunded=each.refunded + back.get(each.tender, 0)) for each in methods]
        assert_same(one, refund_rest(left), sale.of_all())


def assert_same(one: PricedCart, shares: Sequence[RefundShare], opinion: refunds.Back) -> None:
    """Money and tax by target; what gets nothing may be named or not."""
    assert {share.target: share.amount for share in shares if share.amount} == {
        target: amount for target, amount in opinion.amounts.items() if amount
    }, one
    assert {share.target: share.tax for share in shares if share.tax} == {
        target: tax for target, tax in opinion.taxes.items() if tax
    }, one


def some_lists(chance: Chance) -> Iterator[tuple[PriceList, lists.Tiers]]:
    """Prices of one product on lists of every kind."""
    for number in range(chance.count(0, 6)):
        head = PriceList(
            list_id=f"{chance.of('abz')}{number}",
            currency=chance.of((chance.currency, chance.currency, chance.currency, "CHF")),
            kind=chance.of(("override", "override", "sale")),
            markets=chance.of(((), (), ("main",), ("other", "main"), ("other",))),
            customer_groups=chance.of(((), (), (), ("trade",), ("staff", "trade"))),
            tax_included=not chance.maybe(15),
            priority=chance.of((0, 0, 50, -1)),
        )
        yield head, chance.tiers(chance.of((1, 2, 5)))


def test_they_agree_on_the_list_that_a_line_takes() -> None:
    for number in range(CARTS):
        chance = Chance(number)
        prices = list(some_lists(chance))
        if len(prices) > 1 and chance.maybe(30):  # a tie of prices
            prices[0] = (prices[0][0], prices[-1][1])
        market = None if chance.maybe(30) else chance.market([])
        groups, quantity = chance.some(("trade", "staff")), chance.count(1, 12)
        chosen = choose(
            [ListPrice(price_list=head, tiers=tiers) for head, tiers in prices],
            chance.currency,
            market,
            groups,
            quantity,
        )
        opinion = lists.choose(
            prices,
            currency=chance.currency,
            market="main",
            tax_included=market is None or market.tax_pricing != "exclusive",
            customer_groups=groups,
            quantity=quantity,
        )
        if chosen is None or opinion is None:
            assert chosen is opinion, number
            continue
        assert chosen.list_id == opinion.list_id, number
        assert Fraction(unit_price(chosen.tiers, quantity)) == opinion.unit_price, number
        assert (None if chosen.was is None else Fraction(chosen.was)) == opinion.was, number
        heads = {head.list_id: head for head, _ in prices}
        assert chosen.on_sale == (heads[chosen.list_id].kind == "sale"), number


def test_they_agree_on_the_prior_price() -> None:
    for number in range(CARTS):
        chance = Random(number)
        moment, points = NOW, []
        for _ in range(chance.randint(0, 8)):
            points.append((moment, chance.choice((None, 500, 700, 800, 900, 1000))))
            moment += timedelta(days=chance.choice((1, 5, 10, 29, 30, 31)), seconds=chance.choice((0, 0, 1)))
        progressive = chance.random() < 0.5
        assert prior_price([Point(*point) for point in points], progressive=progressive) == lists.prior_price(
            points, progressive=progressive
        ), number
