"""Steps 8 to 10: tax once per group of the same area, category and treatment, then each target's part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from aggregates.pricing.context import Context
from aggregates.pricing.rules import Market, TaxArea, TaxComponent, Terms
from tests.pricing.reference.numbers import half_up, largest_remainder, percent
from tests.pricing.reference.places import area_of_order

SHIPPING = "shipping"
STANDARD = "standard"


@dataclass
class Group:
    """What is taxed together. `targets`: a line's id, or shipping, and its net."""

    area: TaxArea | None
    tax_category: str
    treatment: str
    targets: list[tuple[str, int]] = field(default_factory=list)
    base: int = 0
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


def components_of(area: TaxArea | None, category: str, day: date) -> tuple[TaxComponent, ...]:
    """The components due that day on the category, or on what is standard; none where there is no rate."""
    if area is None:
        return ()
    for wanted in (category, STANDARD):
        for rate in area.rates:
            if (
                rate.tax_category == wanted
                and (rate.starts_on is None or rate.starts_on <= day)
                and (rate.ends_on is None or day < rate.ends_on)
            ):
                return rate.components
    return ()


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


def treatment_of(area: TaxArea | None, category: str, context: Context) -> str:
    """Whether and why no tax is due."""
    if area is None:
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
        if status.reverse_charge:
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
    if context.destination is None:
        return result
    market = terms.markets.get(context.market)
    if market is None:
        market = Market(market_id=context.market, countries=(), currencies=())
    area, day = area_of_order(terms, context.destination), context.at.date()

    groups: list[Group] = []

    def group_of(category: str) -> Group:
        treatment = treatment_of(area, category, context)
        for group in groups:
            if (group.tax_category, group.treatment) == (category, treatment):
                return group
        groups.append(Group(area, category, treatment))
        return groups[-1]

    for line_id, category, net in lines:
        group_of(category).targets.append((line_id, net))
    if shipping is not None:
        put_shipping(groups, group_of, shipping, market, area, day)

    for group in groups:
        group.base = sum(net for _, net in group.targets)
        work_out(group, terms, market, day)
        for target, net in group.targets:
            result.tax[target] += group.tax[target]
            result.paid[target] += group.paid[target] - net
    result.groups = groups
    return result


def put_shipping(groups, group_of, shipping, market, area, day) -> None:
    """Into which groups shipping goes, and how much of it."""
    method_category, net = shipping
    goods = [sum(net for _, net in group.targets) for group in groups]
    if market.shipping_tax == "none":
        return
    if market.shipping_tax == "category" or sum(goods) == 0:
        category = SHIPPING if method_category == STANDARD else method_category
        group_of(category).targets.append((SHIPPING, net))
    elif market.shipping_tax == "highest":
        rates = [
            combined(components_of(area, group.tax_category, day) if group.treatment == "taxed" else ())
            for group in groups
        ]
        above = [index for index, amount in enumerate(goods) if amount > 0]
        groups[max(above, key=lambda index: rates[index])].targets.append((SHIPPING, net))
    else:
        for group, part in zip(list(groups), largest_remainder(net, goods), strict=True):
            if part:
                group.targets.append((SHIPPING, part))


def work_out(group: Group, terms: Terms, market: Market, day: date) -> None:
    """The tax of one group, and each target's part."""
    components = components_of(group.area, group.tax_category, day)
    rate, base = combined(components), group.base
    taxed = group.treatment == "taxed"
    reference = terms.tax_areas.get(market.reference_area or "")
    by_country = market.tax_pricing == "inclusive_by_country" and reference is not None
    reference_rate = combined(components_of(reference, group.tax_category, day))

    if market.tax_pricing == "exclusive":
        if taxed:
            group.amount, group.components = tax_on(base, components, group.area)
        group.tax = shared(group.amount, group.targets)
        group.paid = {target: net + group.tax[target] for target, net in group.targets}
        group.charge = group.amount
        return
    if taxed and (not by_country or rate == reference_rate):
        group.inside = True
        group.amount = tax_inside(base, rate)
        group.components = split(group.amount, components)
        group.tax = shared(group.amount, group.targets)
        group.paid = dict(group.targets)
        return
    net = base
    if by_country:
        net -= tax_inside(base, reference_rate)
    elif group.treatment in {"exempt", "reverse_charge"}:
        net -= tax_inside(base, rate)
    if taxed:
        group.amount, group.components = tax_on(net, components, group.area)
    nets = shared(net, group.targets)
    group.tax = shared(group.amount, list(nets.items()))
    group.paid = {target: nets[target] + group.tax[target] for target in nets}
    group.charge = net + group.amount - base
