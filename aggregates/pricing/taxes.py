"""Tax: once per group of area, category and treatment, half up, then shared to lines and shipping."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aggregates.pricing.context import Context, TargetTax
from aggregates.pricing.explanation import ChargePrice, Notice, Step, TaxTotal
from aggregates.pricing.rules import MAIN_MARKET, Market, Terms
from aggregates.pricing.shares import share
from aggregates.pricing.tax_areas import TaxAreas, compile_areas
from aggregates.pricing.tax_groups import Group, Grouping
from aggregates.pricing.tax_rates import Rate, TaxAmount
from aggregates.pricing.values import quick

_step, _charge, _tax_total = quick(Step), quick(ChargePrice), quick(TaxTotal)


@dataclass(frozen=True, slots=True)
class TaxTarget:
    """What bears tax: a line's id, or `shipping`; with what is left of it after all discounts."""

    target: str
    tax_category: str
    net: int


@dataclass(slots=True)
class TaxOutcome:
    """The taxes of a cart. Every target stands in `tax` and `paid`, shipping too where there is one.

    `paid` is what is paid for a target, its tax included. `groups`: its tax by group; a target that is in
    none is left out. `charges`: tax on top, or what an adjustment takes off (negative) or adds.
    """

    tax: dict[str, int]
    paid: dict[str, int]
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    totals: tuple[TaxTotal, ...] = ()
    charges: tuple[ChargePrice, ...] = ()
    steps: tuple[Step, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledTaxes:
    """The tax areas and markets of the terms, found by place."""

    areas: TaxAreas
    markets: dict[str, Market]


UNDEFINED_MARKET = Market(market_id=MAIN_MARKET, countries=(), currencies=())
"""The market of a cart whose own is not defined: prices include tax."""


def compile_taxes(terms: Terms) -> CompiledTaxes:
    """The terms' taxes, made ready for many carts."""
    return CompiledTaxes(compile_areas(terms), dict(terms.markets))


def digest(targets: Sequence[TaxTarget], shipping: TaxTarget | None, context: Context) -> str:
    """What an outside provider is asked, in 32 digits: an answer counts while this is the same.

    It covers what is taxed and where, the market and the currency; not the moment.
    """
    where = context.destination
    everything = targets if shipping is None else [*targets, shipping]
    asked = [
        context.market,
        context.currency,
        None if where is None else [where.country, where.region, where.postal_prefix],
        [[one.target, one.tax_category, one.net] for one in everything],
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]


def tax(
    targets: Sequence[TaxTarget], shipping: TaxTarget | None, compiled: CompiledTaxes, context: Context
) -> TaxOutcome:
    """The tax on lines and shipping at the context's destination and moment.

    Of nothing, without a destination, or where no area is defined at all, there is no tax. Where an area's
    provider has not answered what is asked now and its own rates do not hold, a notice says so and there is
    none either.
    """
    paid = {one.target: one.net for one in targets}
    if shipping is not None:
        paid[shipping.target] = shipping.net
    outcome = TaxOutcome(dict.fromkeys(paid, 0), paid)
    if context.destination is None or not compiled.areas.by_id or not paid:
        return outcome
    market = compiled.markets.get(context.market, UNDEFINED_MARKET)
    area = compiled.areas.at(context.destination)
    answers: dict[str, TargetTax] | None = None
    if area is not None and area.provider is not None:
        answer = context.tax_answer
        if (
            answer is not None
            and answer.digest == digest(targets, shipping, context)
            and all(one.target in answer.answers for one in targets)
        ):
            answers = answer.answers
        elif not area.provider_fallback:
            outcome.notices = (Notice(kind="quote_required", rule=area.provider, why="tax"),)
            return outcome
    grouping = Grouping(market, compiled.areas, area, context, answers)
    for one in targets:
        grouping.of(one.target, one.tax_category).add(one.target, one.net)
    if shipping is not None and shipping.net:
        grouping.add_shipping(shipping.target, shipping.tax_category, shipping.net)
    _settle(outcome, grouping.groups.values(), on_top=not market.tax_included)
    return outcome


def _settle(outcome: TaxOutcome, groups: Iterable[Group], *, on_top: bool) -> None:
    """Puts the tax of each group into the outcome."""
    tax, paid, by_group = outcome.tax, outcome.paid, outcome.groups
    totals: list[TaxTotal] = []
    charges: list[ChargePrice] = []
    steps: list[Step] = []
    for group in groups:
        levy = _levy(group, on_top=on_top)
        if levy.adjustment is not None:
            steps.append(levy.adjustment)
        if levy.tax.amount:
            steps.append(
                _step(
                    step="tax",
                    rule=group.group,
                    label=group.label,
                    base=levy.base,
                    rate=levy.rate,
                    exact=levy.tax.exact,
                    amount=levy.tax.amount,
                    shares=_by_target(group.targets, levy.shares),
                    inside=not on_top,
                )
            )
        for target, part in zip(group.targets, levy.shares, strict=True):
            tax[target] += part
            if target in by_group:
                by_group[target][group.group] = part
            else:
                by_group[target] = {group.group: part}
        change = sum(levy.changes)
        for target, part in zip(group.targets, levy.changes, strict=False):
            paid[target] += part
        if change:
            charges.append(_charge(kind="tax", rule=group.group, label=group.label, amount=change))
        totals.append(
            _tax_total(
                group=group.group,
                label=group.label,
                tax_category=group.tax_category,
                treatment=group.treatment,
                base=group.base if on_top else group.base + change,
                rate=group.due.text,
                amount=levy.tax.amount,
                inside=not on_top,
                components=levy.tax.components,
            )
        )
    outcome.totals, outcome.charges, outcome.steps = tuple(totals), tuple(charges), tuple(steps)


class _Levy(NamedTuple):
    """The tax of a group, on a base at a rate, with the share of each target.

    `changes`: by how much each target's price changes with it; (): no price does.
    """

    tax: TaxAmount
    base: int
    rate: str
    shares: list[int]
    changes: Sequence[int] = ()
    adjustment: Step | None = None


def _levy(group: Group, *, on_top: bool) -> _Levy:
    due, base = group.due, group.base
    if group.contained is not None and not group.contained.same_as(due):
        return _exchange(group, group.contained)
    if on_top:
        added = due.on(base)
        shares = _shares(added.amount, group.nets)
        return _Levy(added, base, due.text, shares, changes=shares)
    inside = due.inside(base)
    return _Levy(inside, base, due.inside_text, _shares(inside.amount, group.nets))


def _exchange(group: Group, contained: Rate) -> _Levy:
    """The tax that prices contain comes off, what is due comes on what is left."""
    due = group.due
    removed = contained.inside(group.base)
    base = group.base - removed.amount
    left = _shares(base, group.nets)
    added = due.on(base)
    shares = _shares(added.amount, left)
    changes = [rest + part - net for net, rest, part in zip(group.nets, left, shares, strict=True)]
    adjustment = None
    if any(changes):
        adjustment = Step(
            step="tax_adjustment",
            rule=group.group,
            label=group.label,
            base=group.base,
            rate=f"-{contained.inside_text}" + (f" + {due.text}" if due.numerator else ""),
            exact=f"-{removed.exact}" + (f" + {added.exact}" if due.numerator else ""),
            amount=sum(changes),
            shares=_by_target(group.targets, changes),
        )
    return _Levy(added, base, due.text, shares, changes, adjustment)


def _shares(amount: int, weights: Sequence[int]) -> list[int]:
    return share(amount, weights) if amount else [0] * len(weights)


def _by_target(targets: Sequence[str], parts: Sequence[int]) -> dict[str, int]:
    return {target: part for target, part in zip(targets, parts, strict=True) if part}
