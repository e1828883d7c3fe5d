"""Tax areas and their rates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import pairwise

from aggregates.kernel import Rejected
from aggregates.pricing.destinations import normal_postal
from aggregates.pricing.rules import TaxArea, TaxRate, Terms
from aggregates.terms.checks import (
    Unfit,
    check_count,
    check_days,
    check_each_once,
    check_percent,
    is_retired,
)
from aggregates.terms.events import TaxAreaDefined, TaxAreaRetired, TaxRatesSet, TermsEvent
from aggregates.terms.reasons import RuleInUse, RuleUnfit, UnknownRule
from aggregates.terms.terms import TermsState

RATES_MAX = 1_000
COMPONENTS_MAX = 10


def define_tax_area(state: TermsState, *, area: TaxArea, keep_rates: bool = False) -> tuple[TermsEvent, ...]:
    """The area holds from now on; with `keep_rates` at the rates that it has."""
    before = state.rules.tax_areas.get(area.area_id)
    if keep_rates and before is not None:
        area = replace(area, rates=before.rates)
    if before == area:
        return ()
    check_count("tax_area", state.rules.tax_areas, area.area_id)
    try:
        _check(area, state.rules)
    except Unfit as unfit:
        raise Rejected(RuleUnfit(unfit.field, unfit.why)) from unfit
    return (TaxAreaDefined(area=area),)


def set_rates(state: TermsState, *, area_id: str, rates: tuple[TaxRate, ...]) -> tuple[TermsEvent, ...]:
    """The area has these rates from now on, each in its own time, and no others."""
    area = state.rules.tax_areas.get(area_id)
    if area is None:
        raise Rejected(UnknownRule("tax_area", area_id))
    if area.rates == rates:
        return ()
    try:
        _check_rates(rates)
    except Unfit as unfit:
        raise Rejected(RuleUnfit(unfit.field, unfit.why)) from unfit
    return (TaxRatesSet(area_id=area_id, rates=rates),)


def retire_tax_area(state: TermsState, *, area_id: str) -> tuple[TermsEvent, ...]:
    """Its rates hold no more. Rejected while a market's prices contain its tax."""
    if is_retired("tax_area", state.rules.tax_areas, state.retired.tax_areas, area_id):
        return ()
    by = tuple(
        f"market {market.market_id}"
        for market in state.rules.markets.values()
        if market.reference_area == area_id
    )
    if by:
        raise Rejected(RuleInUse("tax_area", area_id, by))
    return (TaxAreaRetired(area_id=area_id),)


def _check(area: TaxArea, rules: Terms) -> None:
    check_each_once("regions", area.regions)
    check_each_once("postal_prefixes", area.postal_prefixes)
    if area.provider_fallback and area.provider is None:
        raise Unfit("provider_fallback", "is for an area with a provider")
    _check_rates(area.rates)
    for other in rules.tax_areas.values():
        if other.area_id != area.area_id and (field := _shared(area, other)):
            raise Unfit(field, f"is where the area {other.area_id} holds too")


def _shared(one: TaxArea, other: TaxArea) -> str | None:
    """By which field two areas hold for one place and neither is the narrower: None where that never is.

    A postal prefix is narrower than none, a longer one than a shorter one; then a region than none.
    """
    if one.country != other.country or bool(one.regions) != bool(other.regions):
        return None
    if bool(one.postal_prefixes) != bool(other.postal_prefixes):
        return None
    if one.regions and set(one.regions).isdisjoint(other.regions):
        return None
    if one.postal_prefixes:
        return None if _prefixes(one).isdisjoint(_prefixes(other)) else "postal_prefixes"
    return "regions" if one.regions else "country"


def _prefixes(area: TaxArea) -> set[str]:
    return {normal_postal(prefix) for prefix in area.postal_prefixes}


def _check_rates(rates: tuple[TaxRate, ...]) -> None:
    if len(rates) > RATES_MAX:
        raise Unfit("rates", f"are more than {RATES_MAX}")
    for n, rate in enumerate(rates):
        if not rate.components:
            raise Unfit(f"rates.{n}.components", "names none")
        if len(rate.components) > COMPONENTS_MAX:
            raise Unfit(f"rates.{n}.components", f"are more than {COMPONENTS_MAX}")
        for m, component in enumerate(rate.components):
            check_percent(f"rates.{n}.components.{m}.percent", component.percent, least=0)
        check_each_once(f"rates.{n}.components", (component.name for component in rate.components))
        check_days(f"rates.{n}", rate.starts_on, rate.ends_on)
    _check_overlaps(rates)


def _check_overlaps(rates: tuple[TaxRate, ...]) -> None:
    by_category: dict[str, list[tuple[date, date, int]]] = defaultdict(list)
    for n, rate in enumerate(rates):
        window = (rate.starts_on or date.min, rate.ends_on or date.max, n)
        by_category[rate.tax_category].append(window)
    for windows in by_category.values():
        windows.sort()
        for (_, ended, _), (starts, _, n) in pairwise(windows):
            if starts < ended:
                raise Unfit(f"rates.{n}.starts_on", f"is before another rate of {rates[n].tax_category} ends")
