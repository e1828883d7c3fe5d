"""Shipping methods by market, with their zones and their prices by currency."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.pricing.context import Destination
from aggregates.pricing.destinations import CompiledZone, compile_zone
from aggregates.pricing.explanation import money_text
from aggregates.pricing.rules import Market, ShippingMethod, ShippingTier, Terms


@dataclass(frozen=True, slots=True)
class CompiledTier:
    """One price in one currency; `text` for people: "from 5000 g: 8.95"."""

    at_least: int
    price: int
    step: int | None
    step_price: int
    text: str


@dataclass(frozen=True, slots=True)
class CompiledMethod:
    """A method with its tiers by currency, the highest first."""

    method: ShippingMethod
    zones: tuple[CompiledZone, ...]
    tiers: dict[str, tuple[CompiledTier, ...]]
    point_countries: frozenset[str]

    def reaches(self, destination: Destination | None) -> bool:
        """Whether it goes there. Where that is not known yet, only one that goes everywhere does."""
        if destination is None:
            return not self.zones and not self.point_countries
        country, region, prefix = destination.country, destination.region, destination.postal_prefix
        if self.point_countries and country not in self.point_countries:
            return False
        return not self.zones or any(zone.has(country, region, prefix) for zone in self.zones)


@dataclass(frozen=True, slots=True)
class CompiledMethods:
    """The shipping methods by market, and the markets' countries; `ids` of all methods.

    `with_carriers`: whether one of them has an outside provider.
    """

    markets: dict[str, Market]
    everywhere: dict[str, CompiledMethod]
    by_market: dict[str, dict[str, CompiledMethod]]
    ids: frozenset[str]
    with_carriers: bool = False

    def serves(self, market: str, country: str) -> bool:
        """Whether the market is for the country; one that is not defined is for all."""
        found = self.markets.get(market)
        return found is None or not found.countries or country in found.countries

    def of(self, market: str) -> dict[str, CompiledMethod]:
        """The market's methods by id, by their ids."""
        return self.by_market.get(market, self.everywhere)


def compile_methods(terms: Terms) -> CompiledMethods:
    """The terms' shipping methods, made ready for many carts."""
    methods = {method_id: _compile(method) for method_id, method in sorted(terms.shipping_methods.items())}
    named = {market for one in methods.values() for market in one.method.markets}
    return CompiledMethods(
        markets=dict(terms.markets),
        everywhere={key: one for key, one in methods.items() if not one.method.markets},
        by_market={
            market: {
                key: one
                for key, one in methods.items()
                if not one.method.markets or market in one.method.markets
            }
            for market in named
        },
        ids=frozenset(methods),
        with_carriers=any(one.method.provider is not None for one in methods.values()),
    )


def _compile(method: ShippingMethod) -> CompiledMethod:
    tiers: dict[str, list[CompiledTier]] = {}
    for tier in method.tiers:
        for currency, price in tier.price.items():
            if (at_least := _at_least(method, tier, currency)) is None:
                continue
            if tier.step and currency not in tier.step_price:
                continue
            start = {
                "weight_grams": f"{at_least} g",
                "amount": money_text(at_least, currency),
                "quantity": f"{at_least}",
            }[method.by]
            tiers.setdefault(currency, []).append(
                CompiledTier(
                    at_least=at_least,
                    price=price,
                    step=tier.step,
                    step_price=tier.step_price.get(currency, 0),
                    text=f"from {start}: {money_text(price, currency)}",
                )
            )
    return CompiledMethod(
        method=method,
        zones=tuple(compile_zone(zone) for zone in method.zones),
        tiers={
            currency: tuple(sorted(found, key=lambda tier: tier.at_least, reverse=True))
            for currency, found in tiers.items()
        },
        point_countries=frozenset(point.country for point in method.points),
    )


def _at_least(method: ShippingMethod, tier: ShippingTier, currency: str) -> int | None:
    """Where the tier starts in the currency; None: it does not apply there."""
    if method.by != "amount":
        return tier.at_least
    return tier.from_amount.get(currency) if tier.from_amount else 0
