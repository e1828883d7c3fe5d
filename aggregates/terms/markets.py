"""Where the merchant sells from, and the markets it sells in."""

from __future__ import annotations

from collections.abc import Iterator

from aggregates.kernel import Rejected
from aggregates.pricing.rules import Home, Market, Terms
from aggregates.terms.checks import Unfit, check_count, check_currency, check_each_once, is_retired
from aggregates.terms.events import HomeSet, MarketDefined, MarketRetired, TermsEvent
from aggregates.terms.reasons import RuleInUse, RuleUnfit
from aggregates.terms.terms import TermsState


def set_home(state: TermsState, *, home: Home) -> tuple[TermsEvent, ...]:
    """Sells from there from now on."""
    if state.rules.home == home:
        return ()
    return (
        HomeSet(
            country=home.country,
            region=home.region,
            postal_code=home.postal_code,
            vat_numbers=home.vat_numbers,
            tax_included=home.tax_included,
        ),
    )


def define_market(state: TermsState, *, market: Market) -> tuple[TermsEvent, ...]:
    """The market holds from now on. Markets may share countries and currencies: a cart names its own."""
    if state.rules.markets.get(market.market_id) == market:
        return ()
    check_count("market", state.rules.markets, market.market_id)
    try:
        _check(market, state.rules)
    except Unfit as unfit:
        raise Rejected(RuleUnfit(unfit.field, unfit.why)) from unfit
    return (MarketDefined(market=market),)


def retire_market(state: TermsState, *, market_id: str) -> tuple[TermsEvent, ...]:
    """The market is no more. Rejected while a list, a promotion or a method names it."""
    if is_retired("market", state.rules.markets, state.retired.markets, market_id):
        return ()
    if by := tuple(_naming(market_id, state.rules)):
        raise Rejected(RuleInUse("market", market_id, by))
    return (MarketRetired(market_id=market_id),)


def _check(market: Market, rules: Terms) -> None:
    for field, values in (
        ("countries", market.countries),
        ("currencies", market.currencies),
        ("locales", market.locales),
    ):
        if not values:
            raise Unfit(field, "names none")
        check_each_once(field, values)
    for n, currency in enumerate(market.currencies):
        check_currency(f"currencies.{n}", currency)
    by_country = market.tax_pricing == "inclusive_by_country"
    if by_country and market.reference_area is None:
        raise Unfit("reference_area", "is needed: the prices contain the tax of that area")
    if market.reference_area is not None and not by_country:
        raise Unfit("reference_area", f"is no part of a market whose tax_pricing is {market.tax_pricing}")
    if market.reference_area is not None and market.reference_area not in rules.tax_areas:
        raise Unfit("reference_area", "is no tax area that is defined")


def _naming(market_id: str, rules: Terms) -> Iterator[str]:
    for price_list in rules.price_lists.values():
        if market_id in price_list.markets:
            yield f"price_list {price_list.list_id}"
    for promotion in rules.promotions.values():
        if market_id in promotion.markets:
            yield f"promotion {promotion.promotion_id}"
    for method in rules.shipping_methods.values():
        if market_id in method.markets:
            yield f"shipping_method {method.method_id}"
