"""What outside providers are asked about a cart, in which order, and that an answer to it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aggregates.pricing import shipping, taxes
from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import (
    Context,
    Destination,
    PricedLine,
    ShippingAnswer,
    TargetTax,
    TaxAnswer,
)
from aggregates.pricing.explanation import Priced
from aggregates.pricing.parcel import Parcel
from aggregates.pricing.price import price
from aggregates.pricing.provider_requests import ProviderRequest, ShippingRequest, TaxRequest, next_request
from aggregates.pricing.rules import GIFT_CARD, Action, Market, ShippingMethod, TaxArea, TaxComponent, Terms
from aggregates.pricing.taxes import TaxTarget
from tests.pricing.cases import NOON, line, percents, post, promotion, rate, terms
from tests.pricing.cases import less as amount_off
from tests.pricing.priced import gift_line

CALIFORNIA = Destination(country="US", region="CA", postal_prefix="94105")
US = Market(market_id="us", countries=("US",), currencies=("USD", "JPY"), tax_pricing="exclusive")
TAXER = TaxArea(area_id="US", country="US", provider="taxer")
SWIFT = ShippingMethod(
    method_id="express", label="Express", provider="swift", tax_category="freight", markets=("us",)
)
MUGS = line("a", "10.00", 2, weight_grams=350, tax_category="ceramics")
BOOK = line("b", "7.25", weight_grams=80, tax_category="books")
MANUAL = line("c", "1.75", ships=False)
CART = (MUGS, BOOK, MANUAL)


def rules(
    *areas: TaxArea, method: ShippingMethod | None = None, market: Market | None = US, **more: Any
) -> Terms:
    return replace(terms(market=market, areas=areas, method=method), **more)


def context(**facts: Any) -> Context:
    given = {"market": "us", "currency": "USD", "at": NOON, "destination": CALIFORNIA}
    return Context(**(given | facts))


def asked(
    of_terms: Terms, at: Context, lines: tuple[PricedLine, ...] = CART
) -> tuple[ProviderRequest | None, Priced]:
    """Whom to ask next about the cart, and what it comes to until then."""
    compiled = compile_terms(of_terms)
    outcome = price(lines, compiled, at)
    return next_request(lines, compiled, at, outcome), outcome


def blocking(outcome: Priced) -> list[tuple[str, str, str | None]]:
    return [(one.kind, one.rule, one.why) for one in outcome.notices if one.blocks]


def taxed(request: TaxRequest, percent: str) -> TaxAnswer:
    """The provider's answer to the request: all at one percentage."""
    due = TargetTax(treatment="taxed", components=(TaxComponent(name="CA", percent=percents(percent)),))
    return TaxAnswer(
        digest=request.digest,
        provider=request.provider,
        reference="t-1",
        answers={one.target: due for one in request.targets},
    )


def carried(request: ShippingRequest, amount: int) -> ShippingAnswer:
    """The carrier's answer to the request."""
    return ShippingAnswer(digest=request.digest, provider=request.provider, reference="s-1", amount=amount)


# -- what a request holds --


def test_a_carrier_is_asked_about_all_that_ships_and_where_it_goes() -> None:
    at = context(method_id="express")
    request, outcome = asked(rules(method=SWIFT), at)
    assert blocking(outcome) == [("quote_required", "swift", "shipping")]
    assert request == ShippingRequest(
        provider="swift",
        digest=shipping.digest(at, "express", weight_grams=780, amount=2900, quantity=3),
        market="us",
        currency="USD",
        destination=CALIFORNIA,
        method_id="express",
        parcel=Parcel(weight_grams=780, amount=2900, quantity=3),
    )


def test_a_parcels_amount_is_in_the_minor_unit_of_the_carts_currency() -> None:
    at = context(method_id="express", currency="JPY")
    request, _ = asked(rules(method=SWIFT), at, (line("a", "1200", 2),))
    assert isinstance(request, ShippingRequest)
    assert (request.currency, request.parcel.amount) == ("JPY", 2400)


def test_a_carrier_is_asked_about_the_same_parcel_whatever_promotions_take_off() -> None:
    at = context(method_id="express")
    plain, _ = asked(rules(method=SWIFT), at)
    less = promotion("less", amount_off(500, "USD"))
    reduced, outcome = asked(rules(method=SWIFT, promotions={"less": less}), at)
    assert sum(one.amount for one in outcome.charges) == -500
    assert reduced == plain


def test_a_line_of_unknown_traits_ships_and_weighs_nothing() -> None:
    unknown = replace(line("u", "3.00", 4), traits=None)
    at = context(method_id="express")
    for lines in ((unknown, MUGS, unknown), (MUGS, unknown)):
        request, _ = asked(rules(method=SWIFT), at, lines)
        assert isinstance(request, ShippingRequest)
        units = 4 * lines.count(unknown)
        assert request.parcel == Parcel(weight_grams=700, amount=2000 + 300 * units, quantity=2 + units)


def test_a_tax_provider_is_asked_about_the_net_of_each_line() -> None:
    at = context()
    less = promotion("less", amount_off(290, "USD"))
    request, outcome = asked(rules(TAXER, promotions={"less": less}), at)
    assert blocking(outcome) == [("quote_required", "taxer", "tax")]
    targets = (
        TaxTarget("a", "ceramics", 1800),
        TaxTarget("b", "books", 652),
        TaxTarget("c", "standard", 158),
    )
    assert sum(one.net for one in targets) == 2900 - 290
    assert request == TaxRequest(
        provider="taxer",
        digest=taxes.digest(targets, None, at),
        market="us",
        currency="USD",
        destination=CALIFORNIA,
        targets=targets,
        tax_included=False,
        has_fallback=False,
    )


def test_a_line_of_unknown_traits_is_taxed_as_standard() -> None:
    request, _ = asked(rules(TAXER), context(), (replace(MUGS, traits=None),))
    assert isinstance(request, TaxRequest)
    assert request.targets == (TaxTarget("a", "standard", 2000),)


def test_shipping_is_asked_about_last_in_the_category_of_its_method() -> None:
    express = replace(post("USD", 595), tax_category="freight", markets=("us",))
    at = context(method_id="post")
    request, _ = asked(rules(TAXER, method=express), at)
    assert isinstance(request, TaxRequest)
    assert request.targets[-1] == TaxTarget("shipping", "freight", 595)
    assert [one.target for one in request.targets] == ["a", "b", "c", "shipping"]
    assert request.digest == taxes.digest(request.targets[:-1], request.targets[-1], at)


@pytest.mark.parametrize(("pricing", "included"), [("inclusive", True), ("exclusive", False)])
def test_a_tax_provider_knows_whether_prices_contain_tax(pricing: Any, included: bool) -> None:
    request, _ = asked(rules(TAXER, market=replace(US, tax_pricing=pricing)), context())
    assert isinstance(request, TaxRequest)
    assert request.tax_included is included


def test_prices_of_a_market_that_is_not_defined_contain_tax() -> None:
    request, _ = asked(rules(TAXER, market=None), context())
    assert isinstance(request, TaxRequest)
    assert request.tax_included


# -- who is asked --


def test_the_carrier_is_asked_first_and_the_tax_then_until_all_has_an_answer() -> None:
    of_terms, at = rules(TAXER, method=SWIFT), context(method_id="express")
    first, _ = asked(of_terms, at)
    assert isinstance(first, ShippingRequest)
    at = replace(at, shipping_answer=carried(first, 595))
    second, outcome = asked(of_terms, at)
    assert isinstance(second, TaxRequest)
    assert blocking(outcome) == [("quote_required", "taxer", "tax")]
    assert second.targets[-1] == TaxTarget("shipping", "freight", 595)
    at = replace(at, tax_answer=taxed(second, "8"))
    third, outcome = asked(of_terms, at)
    assert third is None
    assert blocking(outcome) == []
    assert outcome.total == 3775


def test_an_answer_about_another_cart_is_not_enough() -> None:
    at = context()
    first, _ = asked(rules(TAXER), at)
    assert isinstance(first, TaxRequest)
    at = replace(at, tax_answer=taxed(first, "8"))
    assert asked(rules(TAXER), at)[0] is None
    again, _ = asked(rules(TAXER), at, (MUGS, BOOK))
    assert isinstance(again, TaxRequest)
    assert again.digest != first.digest


def test_notices_that_do_not_block_keep_nobody_from_being_asked() -> None:
    nearly_free = replace(post("USD", 595), free_from={"USD": 5000})
    request, outcome = asked(rules(TAXER, method=nearly_free), context(method_id="post"))
    assert "free_delivery" in [one.kind for one in outcome.notices]
    assert isinstance(request, TaxRequest)


def test_the_provider_is_asked_for_an_answer_where_the_areas_own_rates_hold_without_it() -> None:
    own_rates = replace(TAXER, rates=(rate("standard", "5"),), provider_fallback=True)
    request, outcome = asked(rules(own_rates), context())
    assert blocking(outcome) == []
    assert isinstance(request, TaxRequest)
    assert request.has_fallback
    assert asked(rules(own_rates), context(tax_answer=taxed(request, "8")))[0] is None


@pytest.mark.parametrize(
    ("of_terms", "at"),
    [
        pytest.param(rules(TAXER, method=SWIFT), context(destination=None), id="no destination"),
        pytest.param(rules(TAXER, method=post("USD", 595)), context(), id="no method"),
        pytest.param(rules(), context(), id="no area"),
        pytest.param(
            rules(replace(TAXER, provider=None, rates=(rate("standard", "5"),))), context(), id="own rates"
        ),
        pytest.param(
            rules(replace(TAXER, area_id="CA", country="CA")), context(), id="provider of another country"
        ),
        pytest.param(rules(method=post("USD", 595)), context(method_id="post"), id="no carrier"),
        pytest.param(
            rules(method=replace(SWIFT, free_from={"USD": 2900})),
            context(method_id="express"),
            id="free delivery",
        ),
        pytest.param(
            rules(TAXER, method=SWIFT),
            context(method_id="express", destination=Destination(country="FR")),
            id="not delivered there",
        ),
    ],
)
def test_nobody_is_asked_where_there_is_nothing_to_ask_or_something_else_is_lacking_first(
    of_terms: Terms, at: Context
) -> None:
    assert asked(of_terms, at)[0] is None


def test_a_method_of_the_market_is_asked_about_even_where_others_have_none() -> None:
    """A method with markets of its own stands only in theirs."""
    express = replace(SWIFT, markets=("us",))
    request, _ = asked(rules(method=express), context(method_id="express"))
    assert isinstance(request, ShippingRequest)
    other, outcome = asked(rules(method=express), context(method_id="express", market="main"))
    assert other is None
    assert blocking(outcome) == []


def test_a_carriers_price_counts_whichever_promotions_and_gifts_apply() -> None:
    """It was asked about all lines at their full price."""
    less = promotion("less", amount_off(500, "USD"))
    present = promotion("present", Action(kind="gift", skus=("G",)))
    of_terms = rules(method=SWIFT, promotions={"less": less, "present": present})
    lines = (*CART, gift_line("g", "4.00", "present"))
    at = context(method_id="express")
    request, _ = asked(of_terms, at, lines)
    assert isinstance(request, ShippingRequest)
    assert request.parcel == Parcel(weight_grams=780, amount=3300, quantity=4)
    at = replace(at, shipping_answer=carried(request, 595))
    nobody, outcome = asked(of_terms, at, lines)
    assert nobody is None
    assert outcome.total == 2900 - 500 + 595


CARD = line("g", "50.00", tax_category=GIFT_CARD, ships=False)


def test_gift_cards_are_outside_of_tax_so_that_nobody_is_asked_about_them() -> None:
    request, _ = asked(rules(TAXER), context(), (MUGS, CARD))
    assert isinstance(request, TaxRequest)
    assert request.targets == (TaxTarget("a", "ceramics", 2000),)
    nobody, outcome = asked(rules(TAXER), context(tax_answer=taxed(request, "8")), (MUGS, CARD))
    assert nobody is None
    assert blocking(outcome) == []
    assert outcome.total == 5000 + 2160
    nobody, outcome = asked(rules(TAXER), context(), (CARD,))
    assert nobody is None
    assert blocking(outcome) == []
