"""Tax: once per group of area, category and treatment, half up, then shared to lines and shipping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aggregates.pricing.context import Context
from aggregates.pricing.explanation import ChargePrice, Notice, Step, TaxTotal
from aggregates.pricing.rules import Terms


@dataclass(frozen=True, slots=True)
class TaxTarget:
    """What bears tax: a line's id, or `shipping`; with what is left of it after all discounts."""

    target: str
    tax_category: str
    net: int


@dataclass(slots=True)
class TaxOutcome:
    """The taxes of a cart. Every target stands in `tax` and `paid`, shipping too where there is one.

    `paid` is what is paid for a target, its tax included. `groups`: its tax by group, `{}` where no group
    is. `charges`: tax on top, or what an adjustment takes off (negative) or adds.
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


def compile_taxes(terms: Terms) -> CompiledTaxes:
    """The terms' taxes, made ready for many carts."""
    return CompiledTaxes()


def tax(
    targets: Sequence[TaxTarget], shipping: TaxTarget | None, compiled: CompiledTaxes, context: Context
) -> TaxOutcome:
    """The tax on lines and shipping at the context's destination and moment.

    Without a destination, or where no area is defined at all, there is no tax.
    """
    everything = targets if shipping is None else [*targets, shipping]
    return TaxOutcome({one.target: 0 for one in everything}, {one.target: one.net for one in everything})
