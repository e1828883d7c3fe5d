"""Where something goes: tax areas and shipping methods of a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from aggregates.pricing.context import Context, Destination
from aggregates.pricing.rules import ShippingMethod, TaxArea, Terms, Zone


def starts_with_any(text: str | None, prefixes: Sequence[str]) -> bool:
    """Whether the text is known and begins with one of the prefixes."""
    return text is not None and any(text.startswith(prefix) for prefix in prefixes)


def area_of(terms: Terms, country: str, region: str | None, postal_code: str | None) -> TaxArea | None:
    """The narrowest tax area of a place."""
    found: list[tuple[int, int, str, TaxArea]] = []
    for area in terms.tax_areas.values():
        if area.country != country or (area.regions and region not in area.regions):
            continue
        if area.postal_prefixes and not starts_with_any(postal_code, area.postal_prefixes):
            continue
        longest = max(
            (len(prefix) for prefix in area.postal_prefixes if starts_with_any(postal_code, [prefix])),
            default=0,
        )
        found.append((longest, 1 if area.regions else 0, area.area_id, area))
    return max(found, key=lambda each: each[:2])[3] if found else None


def area_of_order(terms: Terms, destination: Destination) -> TaxArea | None:
    """The area whose tax is due: the destination's, or within the merchant's region its own."""
    area = area_of(terms, destination.country, destination.region, destination.postal_prefix)
    home = terms.home
    if (
        area is not None
        and area.sourcing == "origin"
        and home is not None
        and home.region is not None
        and (home.country, home.region) == (destination.country, destination.region)
    ):
        return area_of(terms, home.country, home.region, home.postal_code)
    return area


def lies_in(zone: Zone, destination: Destination) -> bool:
    """Whether a destination is in the zone."""
    return (
        zone.country == destination.country
        and (not zone.regions or destination.region in zone.regions)
        and (not zone.postal_prefixes or starts_with_any(destination.postal_prefix, zone.postal_prefixes))
        and destination.region not in zone.except_regions
        and not starts_with_any(destination.postal_prefix, zone.except_postal_prefixes)
    )


@dataclass(frozen=True)
class Shipping:
    """The method and its rate, or what is missing."""

    method: ShippingMethod | None = None
    rate: int = 0
    missing: str | None = None


def reaches(method: ShippingMethod, destination: Destination | None) -> bool:
    """Whether a method gets to a destination, known or not yet."""
    if not method.zones and not method.points:
        return True
    if destination is None:
        return False
    return (not method.points or destination.country in [point.country for point in method.points]) and (
        not method.zones or any(lies_in(zone, destination) for zone in method.zones)
    )


def shipping(
    terms: Terms, context: Context, *, weight_grams: int, amount: int, quantity: int, ships: bool
) -> Shipping:
    """Step 6: the rate of the chosen method. `amount`: the sum of the goods' nets; weight and quantity of
    what ships."""
    market, destination, currency = terms.markets.get(context.market), context.destination, context.currency
    if market is not None and destination is not None and destination.country not in market.countries:
        return Shipping(missing="not_deliverable")
    methods = [
        each for each in terms.shipping_methods.values() if not each.markets or context.market in each.markets
    ]
    if not methods or not ships:
        return Shipping()
    if destination is not None and not any(reaches(each, destination) for each in methods):
        return Shipping(missing="not_deliverable")
    if context.method_id is None:
        return Shipping(missing="shipping_method_required")
    unfit = Shipping(missing="shipping_method_unfit")
    chosen = [each for each in methods if each.method_id == context.method_id]
    if not chosen or not reaches(chosen[0], destination):
        return unfit
    method = chosen[0]
    measure = {"weight_grams": weight_grams, "quantity": quantity, "amount": amount}[method.by]
    reached = []
    for each in method.tiers:
        start = each.from_amount.get(currency, 0) if method.by == "amount" else each.at_least
        if start <= measure and currency in each.price:
            reached.append((start, each))
    if method.tiers and not reached:
        return unfit
    if not method.tiers or (currency in method.free_from and amount >= method.free_from[currency]):
        return Shipping(method, 0)
    start, best = max(reached, key=lambda each: each[0])
    rate = best.price[currency]
    if best.step is not None:
        rate += ceil(Fraction(measure - start, best.step)) * best.step_price[currency]
    return Shipping(method, rate)
