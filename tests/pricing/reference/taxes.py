"""Steps 8 to 10: tax once per group of the same area, category and treatment, then each target's part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from aggregates.pricing.context import Context
from aggregates.pricing.rules import Market, TaxArea, TaxComponent, TaxRate, Terms
from tests.pricing.reference.numbers import half_up, largest_remainder, percent
from tests.pricing.reference.places import area_of_order

SHIPPING = "shipping"
STANDARD = "standard"
EU = {
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT"),
    *("LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
}


@dataclass
class Group:
    """What is taxed together. `targets`: a line's id, or shipping, and its net."""

    area: TaxArea | None
    tax_category: str
    treatment: str
    targets: list[tuple[str, int]] = field(default_factory=list)
    base: int = 0  # what the tax is on, or in
    amount: int = 0
    components: dict[str, int] = field(default_factory=dict)
    inside: bool = False
    tax: dict[str, int] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    charge: int = 0


@dataclass
class Taxes:
    """By target: tax and what is paid; and the groups."""

    tax: dict[str, int]
    paid: dict[str, int]
    groups: list[Group]


def rate_on(area: TaxArea, category: str, day: date) -> TaxRate | None:
    """The rate of a tax category on a day."""
    for rate in area.rates:
        if (
            rate.tax_category == category
            and (rate.starts_on is None or rate.starts_on <= day)
            and (rate.ends_on is None or day < rate.ends_on)
        ):
            return rate
    return None


def rate_due(area: TaxArea | None, category: str, day: date) -> TaxRate | None:
    """The rate due on a category that day: its own, or that of what is standard."""
    if area is None:
        return None
    return rate_on(area, category, day) or rate_on(area, STANDARD, day)


def components_of(area: TaxArea | None, category: str, day: date) -> tuple[TaxComponent, ...]:
    """The components due that day on the category; none where there is no rate."""
    rate = rate_due(area, category, day)
    return () if rate is None else rate.components


def effective(components: Sequence[TaxComponent]) -> list[Fraction]:
    """What each component is of the net."""
    rates: list[Fraction] = []
    for component in components:
        rate = percent(component.percent)
        if component.compound:
            rate *= 1 + sum(rates)
        rates.append(rate)
    return rates


def combined(components: Sequence[TaxComponent]) -> Fraction:
    """What all of them are of the net."""
    return sum(effective(components), Fraction(0))


def split(amount: int, components: Sequence[TaxComponent]) -> dict[str, int]:
    """A tax over its components."""
    names = [component.name for component in components]
    return dict(zip(names, largest_remainder(amount, effective(components)), strict=True))


def tax_inside(base: int, rate: Fraction) -> int:
    """The tax that a price contains."""
    return half_up(base * rate / (1 + rate))


def tax_on(net: int, components: Sequence[TaxComponent], area: TaxArea | None) -> tuple[int, dict[str, int]]:
    """The tax on top of a net, and its components."""
    if area is not None and area.components_rounded == "each":
        parts: dict[str, int] = {}
        for component in components:
            on = net + (sum(parts.values()) if component.compound else 0)
            parts[component.name] = half_up(on * percent(component.percent))
        return sum(parts.values()), parts
    amount = half_up(net * combined(components))
    return amount, split(amount, components)


def between_eu_countries(terms: Terms, context: Context) -> bool:
    """Whether merchant and destination are in different countries of the EU."""
    if terms.home is None or context.destination is None:
        return False
    seller, buyer = terms.home.country, context.destination.country
    return seller != buyer and seller in EU and buyer in EU


def treatment_of(area: TaxArea | None, category: str, terms: Terms, context: Context) -> str:
    """Whether and why no tax is due."""
    if area is None or rate_due(area, category, context.at.date()) is None:
        return "outside"
    status = context.tax_status
    if status is not None:
        for exemption in status.exemptions:
            if (
                exemption.area_id == area.area_id
                and (not exemption.tax_categories or category in exemption.tax_categories)
                and (exemption.until is None or context.at.date() <= exemption.until)
            ):
                return "exempt"
        if status.reverse_charge and between_eu_countries(terms, context):
            return "reverse_charge"
    return "taxed"


def shared(amount: int, weights: Sequence[tuple[str, int]]) -> dict[str, int]:
    """An amount by target, in proportion."""
    parts = largest_remainder(amount, [weight for _, weight in weights])
    return {target: part for (target, _), part in zip(weights, parts, strict=True)}


def tax(
    lines: Sequence[tuple[str, str, int]],
    shipping: tuple[str, int] | None,
    terms: Terms,
    context: Context,
) -> Taxes:
    """The tax of an order. `lines`: id, tax category, net; `shipping`: the method's tax category, net."""
    nets = {line_id: net for line_id, _, net in lines}
    if shipping is not None:
        nets[SHIPPING] = shipping[1]
    result = Taxes(dict.fromkeys(nets, 0), dict(nets), [])
    if context.destination is None or not terms.tax_areas:
        return result
    market = terms.markets.get(context.market)
    if market is None:
        market = Market(market_id=context.market, countries=(), currencies=())
    area, day = area_of_order(terms, context.destination), context.at.date()

    groups: list[Group] = []

    def group_of(category: str) -> Group:
        treatment = treatment_of(area, category, terms, context)
        for group in groups:
            if (group.tax_category, group.treatment) == (category, treatment):
                return group
        groups.append(Group(area, category, treatment))
        return groups[-1]

    for line_id, category, net in lines:
        group_of(category).targets.append((line_id, net))
    if shipping is not None and shipping[1]:
        put_shipping(groups, group_of, shipping, terms, market, area, day)

    for group in groups:
        work_out(group, terms, market, day)
        for target, net in group.targets:
            result.tax[target] += group.tax[target]
            result.paid[target] += group.paid[target] - net
    result.groups = groups
    return result


def rates_of(group: Group, terms: Terms, market: Market, day: date) -> tuple[Fraction, Fraction]:
    """The rate that is due on a group, and the one that comes off its prices, 0 where none does."""
    own = combined(components_of(group.area, group.tax_category, day))
    reference = terms.tax_areas.get(market.reference_area or "")
    taken_off = Fraction(0)
    if market.tax_pricing == "inclusive_by_country" and reference is not None:
        taken_off = combined(components_of(reference, group.tax_category, day))
    elif market.tax_pricing != "exclusive" and group.treatment in {"exempt", "reverse_charge"}:
        taken_off = own
    return (own if group.treatment == "taxed" else Fraction(0)), taken_off


def put_shipping(groups, group_of, shipping, terms, market, area, day) -> None:
    """Into which groups shipping goes, and how much of it."""
    method_category, net = shipping
    goods = [sum(net for _, net in group.targets) for group in groups]
    if market.shipping_tax == "none":
        return
    if market.shipping_tax == "category" or sum(goods) == 0:
        has_own = area is not None and rate_on(area, SHIPPING, day) is not None
        category = SHIPPING if has_own else method_category
        group_of(category).targets.append((SHIPPING, net))
    elif market.shipping_tax == "highest":
        rates = [rates_of(group, terms, market, day) for group in groups]
        above = [index for index, amount in enumerate(goods) if amount > 0]
        groups[max(above, key=lambda index: rates[index])].targets.append((SHIPPING, net))
    else:
        for group, part in zip(list(groups), largest_remainder(net, goods), strict=True):
            if part:
                group.targets.append((SHIPPING, part))


def work_out(group: Group, terms: Terms, market: Market, day: date) -> None:
    """The tax of one group, and each target's part."""
    components = components_of(group.area, group.tax_category, day)
    due, taken_off = rates_of(group, terms, market, day)
    base = sum(net for _, net in group.targets)
    taxed = group.treatment == "taxed"

    if market.tax_pricing == "exclusive":
        group.base = base
        if taxed:
            group.amount, group.components = tax_on(base, components, group.area)
        group.tax = shared(group.amount, group.targets)
        group.paid = {target: net + group.tax[target] for target, net in group.targets}
        group.charge = group.amount
        return
    group.inside = True
    by_country = market.tax_pricing == "inclusive_by_country" and market.reference_area in terms.tax_areas
    if taxed and (not by_country or due == taken_off):
        group.base = base
        group.amount = tax_inside(base, due)
        group.components = split(group.amount, components)
        group.tax = shared(group.amount, group.targets)
        group.paid = dict(group.targets)
        return
    net = base - tax_inside(base, taken_off)
    if taxed:
        group.amount, group.components = tax_on(net, components, group.area)
    nets = shared(net, group.targets)
    group.tax = shared(group.amount, list(nets.items()))
    group.paid = {target: nets[target] + group.tax[target] for target in nets}
    group.base = net + group.amount
    group.charge = group.base - base
