"""The rules of sale of a shop: one fold of one stream, whose version is the version of the rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import assert_never

from aggregates.kernel import StreamKind
from aggregates.pricing.compiled_terms import CompiledTerms, compile_terms
from aggregates.pricing.rules import Terms
from aggregates.terms.events import (
    HomeSet,
    MarketDefined,
    MarketRetired,
    PriceListDefined,
    PriceListEnded,
    PromotionDefined,
    PromotionEnded,
    PromotionStarted,
    ShippingMethodDefined,
    ShippingMethodRetired,
    TaxAreaDefined,
    TaxAreaRetired,
    TaxRatesSet,
    TermsEvent,
)


@dataclass(slots=True)
class Retired:
    """The ids of rules that held once and hold no more, by their kind."""

    markets: set[str] = field(default_factory=set)
    price_lists: set[str] = field(default_factory=set)
    promotions: set[str] = field(default_factory=set)
    tax_areas: set[str] = field(default_factory=set)
    shipping_methods: set[str] = field(default_factory=set)


@dataclass
class TermsState:
    """`rules`: those in force, at their version. `started`: the promotions that were reported as begun."""

    rules: Terms = field(default_factory=Terms)
    retired: Retired = field(default_factory=Retired)
    started: set[str] = field(default_factory=set)

    @cached_property
    def compiled(self) -> CompiledTerms:
        """The rules in force, ready to price carts: made once for each version, when it is first needed."""
        return compile_terms(self.rules)


def initial() -> TermsState:
    """A shop without rules: one market, every currency, no tax, no postage."""
    return TermsState()


def evolve(state: TermsState, event: TermsEvent) -> TermsState:
    """The rules after the event; changes them in place."""
    state.rules.version += 1
    state.__dict__.pop("compiled", None)
    match event:
        case HomeSet():
            state.rules.home = event.home
        case TaxRatesSet(area_id=area_id, rates=rates):
            areas = state.rules.tax_areas
            areas[area_id] = replace(areas[area_id], rates=rates)
        case PromotionStarted(promotion_id=promotion_id):
            state.started.add(promotion_id)
        case (
            MarketDefined()
            | PriceListDefined()
            | PromotionDefined()
            | TaxAreaDefined()
            | ShippingMethodDefined()
        ):
            _define(state, event)
        case (
            MarketRetired() | PriceListEnded() | PromotionEnded() | TaxAreaRetired() | ShippingMethodRetired()
        ):
            _retire(state, event)
        case _:
            assert_never(event)
    return state


def _define(
    state: TermsState,
    event: MarketDefined | PriceListDefined | PromotionDefined | TaxAreaDefined | ShippingMethodDefined,
) -> None:
    rules, retired = state.rules, state.retired
    match event:
        case MarketDefined(market=market):
            rules.markets[market.market_id] = market
            retired.markets.discard(market.market_id)
        case PriceListDefined(price_list=price_list):
            rules.price_lists[price_list.list_id] = price_list
        case PromotionDefined(promotion=promotion):
            rules.promotions[promotion.promotion_id] = promotion
            retired.promotions.discard(promotion.promotion_id)
            state.started.discard(promotion.promotion_id)
        case TaxAreaDefined(area=area):
            rules.tax_areas[area.area_id] = area
            retired.tax_areas.discard(area.area_id)
        case ShippingMethodDefined(method=method):
            rules.shipping_methods[method.method_id] = method
            retired.shipping_methods.discard(method.method_id)
        case _:
            assert_never(event)


def _retire(
    state: TermsState,
    event: MarketRetired | PriceListEnded | PromotionEnded | TaxAreaRetired | ShippingMethodRetired,
) -> None:
    rules, retired = state.rules, state.retired
    match event:
        case MarketRetired(market_id=market_id):
            del rules.markets[market_id]
            retired.markets.add(market_id)
        case PriceListEnded(list_id=list_id):
            del rules.price_lists[list_id]
            retired.price_lists.add(list_id)
        case PromotionEnded(promotion_id=promotion_id):
            del rules.promotions[promotion_id]
            retired.promotions.add(promotion_id)
            state.started.discard(promotion_id)
        case TaxAreaRetired(area_id=area_id):
            del rules.tax_areas[area_id]
            retired.tax_areas.add(area_id)
        case ShippingMethodRetired(method_id=method_id):
            del rules.shipping_methods[method_id]
            retired.shipping_methods.add(method_id)
        case _:
            assert_never(event)


stream = StreamKind("terms", initial, evolve)
MAIN_TERMS = stream("main")
"""The one stream of all rules of sale."""
