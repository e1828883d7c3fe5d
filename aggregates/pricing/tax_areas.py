"""Tax areas by place, with their rates by category and day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from aggregates.pricing.context import Destination
from aggregates.pricing.destinations import normal_postal, postal_prefixes
from aggregates.pricing.rules import STANDARD, Home, TaxArea, Terms
from aggregates.pricing.tax_rates import Rate, compile_rate


@dataclass(frozen=True, slots=True)
class CompiledArea:
    """An area with its rates by category, the latest first. `each`: components are rounded by
    themselves."""

    area_id: str
    regions: frozenset[str]
    sourcing: Literal["destination", "origin"]
    each: bool
    provider: str | None
    provider_fallback: bool
    rates: dict[str, tuple[tuple[date, date, Rate], ...]]

    def rate(self, tax_category: str, day: date) -> Rate | None:
        """What is due on the category that day. A category without a rate has the standard one; None where
        there is none either."""
        return self._own_rate(tax_category, day) or self._own_rate(STANDARD, day)

    def has_rate(self, tax_category: str, day: date) -> bool:
        """Whether the category has a rate of its own that day."""
        return self._own_rate(tax_category, day) is not None

    def _own_rate(self, tax_category: str, day: date) -> Rate | None:
        for starts_on, ends_on, rate in self.rates.get(tax_category, ()):
            if starts_on <= day < ends_on:
                return rate
        return None


@dataclass(frozen=True, slots=True)
class TaxAreas:
    """All areas: by id, and by country and postal prefix ("" for those without), those with regions
    first."""

    by_id: dict[str, CompiledArea]
    by_place: dict[str, dict[str, list[CompiledArea]]]
    home: Home | None = None
    home_area: CompiledArea | None = None

    def narrowest(self, country: str, region: str | None, prefix: str | None) -> CompiledArea | None:
        """The area with the longest postal prefix, then one with regions, then the country's."""
        by_prefix = self.by_place.get(country)
        if by_prefix is None:
            return None
        begins = prefix or ""
        for end in range(len(begins), -1, -1):
            for area in by_prefix.get(begins[:end], ()):
                if not area.regions or region in area.regions:
                    return area
        return None

    def at(self, destination: Destination) -> CompiledArea | None:
        """The area whose rates count there: the merchant's own where the destination is in his region and
        its area is taxed by origin."""
        region = destination.region
        area = self.narrowest(destination.country, region, destination.postal_prefix)
        home = self.home
        if (
            area is not None
            and area.sourcing == "origin"
            and home is not None
            and region is not None
            and (destination.country, region) == (home.country, home.region)
        ):
            return self.home_area or area
        return area


def compile_areas(terms: Terms) -> TaxAreas:
    """The terms' areas, made ready for many carts."""
    areas = TaxAreas({}, {})
    for area_id, area in sorted(terms.tax_areas.items()):
        compiled = areas.by_id[area_id] = _compile(area)
        by_prefix = areas.by_place.setdefault(area.country, {})
        for prefix in {normal_postal(one) for one in area.postal_prefixes} or {""}:
            by_prefix.setdefault(prefix, []).append(compiled)
    for by_prefix in areas.by_place.values():
        for same_prefix in by_prefix.values():
            same_prefix.sort(key=lambda area: (not area.regions, area.area_id))
    home = terms.home
    if home is None:
        return areas
    home_prefix = postal_prefixes(terms).longest(home.country, home.postal_code or "")
    return TaxAreas(
        areas.by_id, areas.by_place, home, areas.narrowest(home.country, home.region, home_prefix)
    )


def _compile(area: TaxArea) -> CompiledArea:
    each = area.components_rounded == "each"
    rates: dict[str, list[tuple[date, date, Rate]]] = {}
    for one in area.rates:
        rate = compile_rate(one.components, one.label, each=each)
        rates.setdefault(one.tax_category, []).append(
            (one.starts_on or date.min, one.ends_on or date.max, rate)
        )
    return CompiledArea(
        area_id=area.area_id,
        regions=frozenset(area.regions),
        sourcing=area.sourcing,
        each=each,
        provider=area.provider,
        provider_fallback=area.provider_fallback,
        rates={
            category: tuple(sorted(found, key=lambda one: one[0], reverse=True))
            for category, found in rates.items()
        },
    )
