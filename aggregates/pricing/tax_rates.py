"""A rate of tax: the exact fraction that its components make, and what it is of an amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm

from aggregates.pricing.explanation import decimal_text, percent_text
from aggregates.pricing.rules import WHOLE, TaxComponent
from aggregates.pricing.shares import half_up, share


@dataclass(frozen=True, slots=True)
class TaxAmount:
    """A tax in minor units, half up; `components` by name sum to it. `exact`: before rounding, for
    people."""

    amount: int
    components: dict[str, int]
    exact: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Components together: `numerator` over `denominator` of the net. `weights`: the part of each.

    `each`: what is on top of a net is rounded by component. `text` and `inside_text` for people: "20 %" of
    a net, "20/120" of a price that contains it.
    """

    components: tuple[TaxComponent, ...]
    each: bool
    label: str
    numerator: int
    denominator: int
    weights: tuple[int, ...]
    text: str
    inside_text: str

    def on(self, net: int) -> TaxAmount:
        """The tax on top of a net amount. A compound component is on the net and on what those before it
        came to."""
        if self.each and len(self.components) > 1:
            return self._by_component(net)
        part = net * self.numerator
        return self._split(half_up(part, self.denominator), decimal_text(part, self.denominator))

    def inside(self, gross: int) -> TaxAmount:
        """The tax that an amount contains."""
        part, whole = gross * self.numerator, self.denominator + self.numerator
        return self._split(half_up(part, whole), decimal_text(part, whole))

    def same_as(self, other: Rate) -> bool:
        """Whether both are the same percentage."""
        return self.numerator * other.denominator == other.numerator * self.denominator

    def _split(self, amount: int, exact: str) -> TaxAmount:
        if len(self.components) == 1:
            return TaxAmount(amount, {self.components[0].name: amount}, exact)
        parts = share(amount, self.weights) if amount else [0] * len(self.weights)
        return TaxAmount(amount, self._by_name(parts), exact)

    def _by_component(self, net: int) -> TaxAmount:
        total, parts, exact = 0, [], []
        for component in self.components:
            part = (net + total if component.compound else net) * component.percent
            parts.append(half_up(part, WHOLE))
            exact.append(decimal_text(part, WHOLE))
            total += parts[-1]
        return TaxAmount(total, self._by_name(parts), " + ".join(exact))

    def _by_name(self, parts: Sequence[int]) -> dict[str, int]:
        by_name: dict[str, int] = {}
        for component, part in zip(self.components, parts, strict=True):
            by_name[component.name] = by_name.get(component.name, 0) + part
        return by_name


@lru_cache(maxsize=4096)
def compile_rate(components: tuple[TaxComponent, ...], label: str, *, each: bool) -> Rate:
    """A rate of these components; without a label it bears their names and percentages."""
    parts: list[Fraction] = []
    for component in components:
        percent = Fraction(component.percent, WHOLE)
        parts.append(percent * (1 + sum(parts)) if component.compound else percent)
    rate = sum(parts, Fraction())
    common = lcm(*(part.denominator for part in parts))
    numerator, denominator = rate.numerator, rate.denominator
    percents = [percent_text(one.percent) + (" compound" if one.compound else "") for one in components]
    if each and len(components) > 1:
        text = " + ".join(percents)
    else:
        text = f"{decimal_text(100 * numerator, denominator)} %"
    names = " + ".join(f"{one.name} {percent}" for one, percent in zip(components, percents, strict=True))
    return Rate(
        components=components,
        each=each,
        label=label or names or "No tax",
        numerator=numerator,
        denominator=denominator,
        weights=tuple(int(part * common) for part in parts),
        text=text,
        inside_text=f"{decimal_text(100 * numerator, denominator)}"
        f"/{decimal_text(100 * (denominator + numerator), denominator)}",
    )


NO_TAX = compile_rate((), "", each=False)
