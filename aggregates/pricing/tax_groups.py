"""Groups of what is taxed alike: by area, category and treatment."""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction

from aggregates.pricing.context import Context, TargetTax, Treatment
from aggregates.pricing.destinations import between_eu_countries
from aggregates.pricing.rules import SHIPPING, Market
from aggregates.pricing.shares import share
from aggregates.pricing.tax_areas import CompiledArea, TaxAreas
from aggregates.pricing.tax_rates import NO_TAX, Rate, compile_rate


class Group:
    """What is taxed alike. `due`: the rate that is owed; `contained`: the one that the price contains and
    that gives way to it; None: the price stands."""

    __slots__ = ("base", "contained", "due", "group", "label", "nets", "targets", "tax_category", "treatment")

    def __init__(
        self,
        group: str,
        label: str,
        tax_category: str,
        treatment: Treatment,
        due: Rate,
        contained: Rate | None,
    ) -> None:
        self.group = group
        self.label = label
        self.tax_category = tax_category
        self.treatment = treatment
        self.due = due
        self.contained = contained
        self.base = 0
        self.targets: list[str] = []
        self.nets: list[int] = []

    def add(self, target: str, net: int) -> None:
        self.targets.append(target)
        self.nets.append(net)
        self.base += net


class Grouping:
    """Groups as targets come: by category where the area's own rates hold, else by the provider's answer."""

    __slots__ = (
        "_answers",
        "_area",
        "_contained",
        "_country",
        "_day",
        "_exemptions",
        "_market",
        "_reverse_charge",
        "groups",
    )

    def __init__(
        self,
        market: Market,
        areas: TaxAreas,
        area: CompiledArea | None,
        context: Context,
        answers: dict[str, TargetTax] | None,
    ) -> None:
        assert context.destination is not None
        self._market = market
        self._area = area
        self._answers = answers
        self._country = context.destination.country
        self._day = context.at.astimezone(UTC).date()
        status = context.tax_status
        self._exemptions = status.exemptions if status else ()
        self._reverse_charge = bool(
            status
            and status.reverse_charge
            and areas.home
            and between_eu_countries(areas.home.country, self._country)
        )
        self._contained = areas.by_id.get(market.reference_area or "")
        self.groups: dict[str | tuple[str, TargetTax], Group] = {}

    def of(self, target: str, tax_category: str) -> Group:
        """The group that a target of the category belongs to."""
        answer = self._answers.get(target) if self._answers is not None else None
        key = tax_category if answer is None else (tax_category, answer)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = self._new(tax_category, answer)
        return group

    def add_shipping(self, target: str, tax_category: str, net: int) -> None:
        """To the group that a provider's answer or the market names, or to those of the goods. Its own
        category is `shipping` where the area has a rate for that, else its method's."""
        goods = [group for group in self.groups.values() if group.base > 0]
        how = self._market.shipping_tax
        answered = self._answers is not None and target in self._answers
        if answered or how == "category" or (not goods and how != "none"):
            own = self._area is not None and self._area.has_rate(SHIPPING, self._day)
            self.of(target, SHIPPING if own else tax_category).add(target, net)
        elif how == "none":
            return
        elif how == "highest":
            max(goods, key=_height).add(target, net)
        else:
            parts = share(net, [group.base for group in goods])
            for group, part in zip(goods, parts, strict=True):
                if part:
                    group.add(target, part)

    def _new(self, tax_category: str, answer: TargetTax | None) -> Group:
        area = self._area
        found: Rate | None = None
        treatment: Treatment = "taxed"
        if answer is not None and area is not None:
            found, treatment = compile_rate(answer.components, "", each=area.each), answer.treatment
        elif area is not None:
            found = area.rate(tax_category, self._day)
        if area is None or found is None:
            treatment = "outside"
        elif self._exempt(area, tax_category):
            treatment = "exempt"
        elif self._reverse_charge:
            treatment = "reverse_charge"
        rate = found or NO_TAX
        contained = None
        if self._market.tax_pricing == "inclusive_by_country" and self._contained is not None:
            contained = self._contained.rate(tax_category, self._day) or NO_TAX
        elif self._market.tax_included and treatment in {"exempt", "reverse_charge"}:
            contained = rate
        due = rate if treatment == "taxed" else NO_TAX
        group = f"{self._country if area is None else area.area_id}/{tax_category}"
        if treatment != "taxed":
            group += f"/{treatment}"
        if answer is not None:
            group += f"/{rate.label}"
        label = rate.label
        if self._answers is None and area is not None and area.provider is not None:
            label += f" (own rates: no answer of {area.provider})"
        return Group(group, label, tax_category, treatment, due, contained)

    def _exempt(self, area: CompiledArea, tax_category: str) -> bool:
        return any(
            one.area_id == area.area_id
            and (not one.tax_categories or tax_category in one.tax_categories)
            and (one.until is None or self._day <= one.until)
            for one in self._exemptions
        )


def _height(group: Group) -> tuple[Fraction, Fraction]:
    """What is due comes first; of groups that owe nothing, what a shopper would have paid."""
    contained = group.contained or NO_TAX
    return (
        Fraction(group.due.numerator, group.due.denominator),
        Fraction(contained.numerator, contained.denominator),
    )
