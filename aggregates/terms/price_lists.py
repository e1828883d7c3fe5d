"""The heads of price lists. Their prices are the catalog's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from aggregates.kernel import Rejected
from aggregates.pricing.rules import BASE, PriceList, Terms
from aggregates.terms.checks import (
    Unfit,
    check_count,
    check_currency,
    check_markets,
    check_window,
    currencies_of,
    is_retired,
)
from aggregates.terms.events import PriceListDefined, PriceListEnded, TermsEvent
from aggregates.terms.reasons import PriceListInUse, PriceListOver, RuleUnfit
from aggregates.terms.terms import TermsState


def define_price_list(state: TermsState, *, price_list: PriceList, at: datetime) -> tuple[TermsEvent, ...]:
    """The list may have prices from now on. Of one that is there, the label and the window may change.

    Products keep a copy of the rest beside each price, so a list that is to be another is a new one.
    """
    before = state.rules.price_lists.get(price_list.list_id)
    if before == price_list:
        return ()
    if price_list.list_id in state.retired.price_lists:
        raise Rejected(PriceListInUse(price_list.list_id, "ended"))
    if before is not None and _head(before) != _head(price_list):
        raise Rejected(PriceListInUse(price_list.list_id, "changed"))
    check_count("price_list", state.rules.price_lists, price_list.list_id)
    try:
        _check(price_list, state.rules, at)
    except Unfit as unfit:
        raise Rejected(RuleUnfit(unfit.field, unfit.why)) from unfit
    return (PriceListDefined(price_list=price_list),)


def end_price_list(state: TermsState, *, list_id: str) -> tuple[TermsEvent, ...]:
    """The list has no more prices: what is on it is withdrawn, product by product."""
    if is_retired("price_list", state.rules.price_lists, state.retired.price_lists, list_id):
        return ()
    return (PriceListEnded(list_id=list_id),)


def price_list_of(state: TermsState, *, list_id: str) -> PriceList:
    """The list, for prices on it. Rejected where there is none, or it has ended."""
    if is_retired("price_list", state.rules.price_lists, state.retired.price_lists, list_id):
        raise Rejected(PriceListOver(list_id))
    return state.rules.price_lists[list_id]


def base_list(state: TermsState, *, currency: str) -> PriceList:
    """The list of products' own prices in a currency: tax is included unless the home says otherwise."""
    home = state.rules.home
    return PriceList(
        list_id=BASE, currency=currency, tax_included=True if home is None else home.tax_included
    )


def _head(price_list: PriceList) -> PriceList:
    """What never changes of it."""
    return replace(price_list, label="", starts_at=None, ends_at=None)


def _check(price_list: PriceList, rules: Terms, at: datetime) -> None:
    if price_list.list_id == BASE:
        raise Unfit("list_id", "is that of the listings' own prices")
    check_currency("currency", price_list.currency)
    check_markets(price_list.markets, rules)
    check_window(price_list.starts_at, price_list.ends_at, at=at)
    if price_list.kind == "sale" and price_list.priority:
        raise Unfit("priority", "is no part of a sale: its lowest price counts")
    sold_in = currencies_of(price_list.markets, rules)
    if sold_in is not None and price_list.currency not in sold_in:
        raise Unfit("currency", "is not that of any of its markets")
    includes = {
        market_id not in rules.markets or rules.markets[market_id].tax_included
        for market_id in price_list.markets
    }
    if includes and price_list.tax_included not in includes:
        raise Unfit("tax_included", "is otherwise in all of its markets")
