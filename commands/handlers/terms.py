"""Commands on the rules of sale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.pricing.rules import Home, Market, PriceList, Promotion, ShippingMethod, TaxArea, TaxRate
from aggregates.terms import markets, price_lists, promotions, shipping_methods, tax_areas
from aggregates.terms.events import TermsEvent
from aggregates.terms.promotions import Units
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache

HOME = "home"
"""What is answered as the id of the one home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHome:
    """Sell from there."""

    name: ClassVar = "set_home"
    home: Home


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineMarket:
    """Sell in a market, or change it."""

    name: ClassVar = "define_market"
    market: Market


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireMarket:
    """Sell no more in a market."""

    name: ClassVar = "retire_market"
    market_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinePriceList:
    """Open a price list, or change its label or window; `at` is now."""

    name: ClassVar = "define_price_list"
    price_list: PriceList
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPriceList:
    """Let the prices of a list hold no more."""

    name: ClassVar = "end_price_list"
    list_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinePromotion:
    """Give a promotion, or change it; `at` is now."""

    name: ClassVar = "define_promotion"
    promotion: Promotion
    units: Units
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPromotion:
    """Give a promotion no more."""

    name: ClassVar = "end_promotion"
    promotion_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineTaxArea:
    """Tax an area, or change it; with `keep_rates` at the rates that it has."""

    name: ClassVar = "define_tax_area"
    area: TaxArea
    keep_rates: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTaxRates:
    """Replace the rates of a tax area."""

    name: ClassVar = "set_tax_rates"
    area_id: str
    rates: tuple[TaxRate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireTaxArea:
    """Tax an area no more."""

    name: ClassVar = "retire_tax_area"
    area_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineShippingMethod:
    """Offer a shipping method, or change it."""

    name: ClassVar = "define_shipping_method"
    method: ShippingMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireShippingMethod:
    """Offer a shipping method no more."""

    name: ClassVar = "retire_shipping_method"
    method_id: str


def handle_set_home(cache: StateCache, command: SetHome) -> Decision:
    """Sets the home; it is made the first time."""
    state: TermsState = cache.state(MAIN_TERMS)
    return _decision(HOME, markets.set_home(state, home=command.home), is_new=state.rules.home is None)


def handle_define_market(cache: StateCache, command: DefineMarket) -> Decision:
    """Defines the market."""
    state: TermsState = cache.state(MAIN_TERMS)
    market = command.market
    return _decision(
        market.market_id,
        markets.define_market(state, market=market),
        is_new=market.market_id not in state.rules.markets,
    )


def handle_define_price_list(cache: StateCache, command: DefinePriceList) -> Decision:
    """Defines the price list."""
    state: TermsState = cache.state(MAIN_TERMS)
    price_list = command.price_list
    return _decision(
        price_list.list_id,
        price_lists.define_price_list(state, price_list=price_list, at=command.at),
        is_new=price_list.list_id not in state.rules.price_lists,
    )


def handle_define_promotion(cache: StateCache, command: DefinePromotion) -> Decision:
    """Defines the promotion."""
    state: TermsState = cache.state(MAIN_TERMS)
    promotion = command.promotion
    return _decision(
        promotion.promotion_id,
        promotions.define_promotion(state, promotion=promotion, units=command.units, at=command.at),
        is_new=promotion.promotion_id not in state.rules.promotions,
    )


def handle_define_tax_area(cache: StateCache, command: DefineTaxArea) -> Decision:
    """Defines the tax area."""
    state: TermsState = cache.state(MAIN_TERMS)
    area = command.area
    return _decision(
        area.area_id,
        tax_areas.define_tax_area(state, area=area, keep_rates=command.keep_rates),
        is_new=area.area_id not in state.rules.tax_areas,
    )


def handle_define_shipping_method(cache: StateCache, command: DefineShippingMethod) -> Decision:
    """Defines the shipping method."""
    state: TermsState = cache.state(MAIN_TERMS)
    method = command.method
    return _decision(
        method.method_id,
        shipping_methods.define_shipping_method(state, method=method),
        is_new=method.method_id not in state.rules.shipping_methods,
    )


def handle_set_tax_rates(cache: StateCache, command: SetTaxRates) -> Decision:
    """Replaces the rates of the area."""
    decided = tax_areas.set_rates(cache.state(MAIN_TERMS), area_id=command.area_id, rates=command.rates)
    return _decision(command.area_id, decided)


def handle_retire_market(cache: StateCache, command: RetireMarket) -> Decision:
    """Retires the market."""
    decided = markets.retire_market(cache.state(MAIN_TERMS), market_id=command.market_id)
    return _decision(command.market_id, decided)


def handle_end_price_list(cache: StateCache, command: EndPriceList) -> Decision:
    """Ends the price list."""
    decided = price_lists.end_price_list(cache.state(MAIN_TERMS), list_id=command.list_id)
    return _decision(command.list_id, decided)


def handle_end_promotion(cache: StateCache, command: EndPromotion) -> Decision:
    """Ends the promotion at once."""
    state: TermsState = cache.state(MAIN_TERMS)
    decided = promotions.end_promotion(state, promotion_id=command.promotion_id, reason=command.reason)
    return _decision(command.promotion_id, decided)


def handle_retire_tax_area(cache: StateCache, command: RetireTaxArea) -> Decision:
    """Retires the tax area."""
    decided = tax_areas.retire_tax_area(cache.state(MAIN_TERMS), area_id=command.area_id)
    return _decision(command.area_id, decided)


def handle_retire_shipping_method(cache: StateCache, command: RetireShippingMethod) -> Decision:
    """Retires the shipping method."""
    decided = shipping_methods.retire_shipping_method(cache.state(MAIN_TERMS), method_id=command.method_id)
    return _decision(command.method_id, decided)


def _decision(rule_id: str, events: tuple[TermsEvent, ...], *, is_new: bool = False) -> Decision:
    """`is_new`: where something is to be done, a rule is made by it."""
    decision = Decision(id=rule_id, stream=MAIN_TERMS)
    decision.add(MAIN_TERMS, events)
    decision.created = is_new and bool(events)
    return decision


HANDLERS: Handlers = {
    SetHome: handle_set_home,
    DefineMarket: handle_define_market,
    RetireMarket: handle_retire_market,
    DefinePriceList: handle_define_price_list,
    EndPriceList: handle_end_price_list,
    DefinePromotion: handle_define_promotion,
    EndPromotion: handle_end_promotion,
    DefineTaxArea: handle_define_tax_area,
    SetTaxRates: handle_set_tax_rates,
    RetireTaxArea: handle_retire_tax_area,
    DefineShippingMethod: handle_define_shipping_method,
    RetireShippingMethod: handle_retire_shipping_method,
}
