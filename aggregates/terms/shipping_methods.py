"""Shipping methods and what they cost."""

from __future__ import annotations

from aggregates.kernel import Rejected
from aggregates.pricing.rules import ShippingMethod, ShippingTier, Terms, Zone
from aggregates.terms.checks import (
    Unfit,
    check_amounts,
    check_ascending,
    check_count,
    check_each_once,
    check_markets,
    check_same_currencies,
    countries_of,
    currencies_of,
    is_retired,
)
from aggregates.terms.events import ShippingMethodDefined, ShippingMethodRetired, TermsEvent
from aggregates.terms.reasons import RuleUnfit
from aggregates.terms.terms import TermsState


def define_shipping_method(state: TermsState, *, method: ShippingMethod) -> tuple[TermsEvent, ...]:
    """The method is offered from now on."""
    if state.rules.shipping_methods.get(method.method_id) == method:
        return ()
    check_count("shipping_method", state.rules.shipping_methods, method.method_id)
    try:
        _check(method, state.rules)
    except Unfit as unfit:
        raise Rejected(RuleUnfit(unfit.field, unfit.why)) from unfit
    return (ShippingMethodDefined(method=method),)


def retire_shipping_method(state: TermsState, *, method_id: str) -> tuple[TermsEvent, ...]:
    """The method is offered no more; a cart that has chosen it needs another."""
    if is_retired("shipping_method", state.rules.shipping_methods, state.retired.shipping_methods, method_id):
        return ()
    return (ShippingMethodRetired(method_id=method_id),)


def _check(method: ShippingMethod, rules: Terms) -> None:
    check_markets(method.markets, rules)
    for n, zone in enumerate(method.zones):
        _check_zone(f"zones.{n}", zone)
    countries = countries_of(method.markets, rules)
    if countries is not None and method.zones and countries.isdisjoint(zone.country for zone in method.zones):
        raise Unfit("zones", "are in no country of its markets")
    if method.kind == "pickup" and not method.points:
        raise Unfit("points", "is needed: where an order is fetched")
    if method.kind == "ship" and method.points:
        raise Unfit("points", "is no part of what is shipped")
    check_each_once("points", (point.point_id for point in method.points))
    if method.days is not None and not 0 <= method.days[0] <= method.days[1]:
        raise Unfit("days", "is not the fewest and the most")
    if method.free_from:
        check_amounts("free_from", method.free_from)
    if method.provider is not None:
        if method.tiers:
            raise Unfit("tiers", "is no part of a method whose provider says the price")
        return
    if not method.tiers:
        raise Unfit("tiers", "is needed: what it costs")
    _check_tiers(method)
    sold_in = currencies_of(method.markets, rules)
    if sold_in is not None and sold_in.isdisjoint(method.tiers[0].price):
        raise Unfit("tiers.0.price", "is in no currency of its markets")


def _check_zone(field: str, zone: Zone) -> None:
    if zone.regions and set(zone.regions) <= set(zone.except_regions):
        raise Unfit(f"{field}.except_regions", "leaves nothing of its regions")
    if zone.postal_prefixes and all(
        prefix.startswith(zone.except_postal_prefixes) for prefix in zone.postal_prefixes
    ):
        raise Unfit(f"{field}.except_postal_prefixes", "leaves nothing of its postal_prefixes")


def _check_tiers(method: ShippingMethod) -> None:
    before: ShippingTier | None = None
    for n, tier in enumerate(method.tiers):
        field = f"tiers.{n}"
        check_amounts(f"{field}.price", tier.price, least=0)
        check_same_currencies(f"{field}.price", tier.price, method.tiers[0].price)
        if method.by == "amount":
            _check_from_amount(field, tier, before)
        else:
            if tier.from_amount:
                raise Unfit(f"{field}.from_amount", f"is no part of a tier by {method.by}")
            if tier.at_least < 0:
                raise Unfit(f"{field}.at_least", "is below 0")
            check_ascending(f"{field}.at_least", before.at_least if before else None, tier.at_least)
            _check_step(field, tier)
        before = tier


def _check_from_amount(field: str, tier: ShippingTier, before: ShippingTier | None) -> None:
    for name in ("at_least", "step", "step_price"):
        if getattr(tier, name):
            raise Unfit(f"{field}.{name}", "is no part of a tier by amount")
    check_amounts(f"{field}.from_amount", tier.from_amount, least=0)
    check_same_currencies(f"{field}.from_amount", tier.from_amount, tier.price)
    for currency, amount in tier.from_amount.items():
        check_ascending(
            f"{field}.from_amount.{currency}", before.from_amount[currency] if before else None, amount
        )


def _check_step(field: str, tier: ShippingTier) -> None:
    if tier.step is None:
        if tier.step_price:
            raise Unfit(f"{field}.step", "is needed: for how much more step_price is")
        return
    if tier.step < 1:
        raise Unfit(f"{field}.step", "is below 1")
    if not tier.step_price:
        raise Unfit(f"{field}.step_price", "is needed: what a started step costs")
    check_amounts(f"{field}.step_price", tier.step_price)
    check_same_currencies(f"{field}.step_price", tier.step_price, tier.price)
