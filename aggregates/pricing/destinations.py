"""Destinations as rules name them: a country, a region of it, how a postal code begins."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from aggregates.pricing.rules import Terms, Zone

EU_COUNTRIES = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    | {"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
)
"""The member states of the European Union by ISO 3166 code, as of 2026."""


def between_eu_countries(seller: str, destination: str) -> bool:
    """Whether a sale goes from one member state to another, so that a buyer with a VAT number owes its tax
    himself."""
    return seller != destination and seller in EU_COUNTRIES and destination in EU_COUNTRIES


def normal_postal(code: str) -> str:
    """A postal code, or how it begins, without spaces and signs, in upper case and of one width: "sw1a 1aa"
    is "SW1A1AA"."""
    return "".join(one for one in unicodedata.normalize("NFKC", code) if one.isalnum()).upper()


PROVIDER_PREFIX_LENGTH = 5
"""Of a postal code, what outside providers are told at most: of one with letters all but the last two of its
signs, so that it is a US ZIP code, a British sector, a Dutch quarter; never a street."""


@dataclass(frozen=True, slots=True)
class PostalPrefixes:
    """Every beginning of a postal code that a rule names, by country.

    `for_providers`: the countries about which outside providers are asked; None: all.
    """

    by_country: dict[str, frozenset[str]]
    for_providers: frozenset[str] | None = frozenset()

    def longest(self, country: str, postal_code: str) -> str | None:
        """The longest of the country's that the code begins with, or what a provider there is told,
        if longer: all a price needs to know of the code."""
        code = normal_postal(postal_code)
        ends = [end for end in range(1, len(code) + 1) if code[:end] in self.by_country.get(country, ())]
        if code and (self.for_providers is None or country in self.for_providers):
            known = len(code) if code.isdigit() else max(1, len(code) - 2)
            ends.append(min(known, PROVIDER_PREFIX_LENGTH))
        return code[: max(ends)] if ends else None


def postal_prefixes(terms: Terms) -> PostalPrefixes:
    """All that tax areas and the zones of shipping methods name, or that their providers ask."""
    named: dict[str, set[str]] = {}

    def add(country: str, prefixes: Iterable[str]) -> None:
        if normal := {normal_postal(prefix) for prefix in prefixes} - {""}:
            named.setdefault(country, set()).update(normal)

    for area in terms.tax_areas.values():
        add(area.country, area.postal_prefixes)
    for method in terms.shipping_methods.values():
        for zone in method.zones:
            add(zone.country, zone.postal_prefixes)
            add(zone.country, zone.except_postal_prefixes)
    carriers = [method for method in terms.shipping_methods.values() if method.provider is not None]
    asked = {area.country for area in terms.tax_areas.values() if area.provider is not None}
    asked |= {zone.country for method in carriers for zone in method.zones}
    return PostalPrefixes(
        {country: frozenset(prefixes) for country, prefixes in named.items()},
        frozenset(asked) if all(method.zones for method in carriers) else None,
    )


def named_regions(terms: Terms) -> dict[str, frozenset[str]]:
    """Every region that a rule names, by country."""
    named: dict[str, set[str]] = {}
    for area in terms.tax_areas.values():
        named.setdefault(area.country, set()).update(area.regions)
    for method in terms.shipping_methods.values():
        for zone in method.zones:
            named.setdefault(zone.country, set()).update((*zone.regions, *zone.except_regions))
    if terms.home is not None and terms.home.region is not None:
        named.setdefault(terms.home.country, set()).add(terms.home.region)
    return {country: frozenset(regions) for country, regions in named.items() if regions}


@dataclass(frozen=True, slots=True)
class CompiledZone:
    """A zone whose postal prefixes are normal. All given parts hold, each of them is any-of."""

    country: str
    regions: frozenset[str]
    prefixes: tuple[str, ...]
    except_regions: frozenset[str]
    except_prefixes: tuple[str, ...]

    def has(self, country: str, region: str | None, prefix: str | None) -> bool:
        """Whether the place lies in it. What is unknown of a place lies in no region and begins with
        nothing."""
        return (
            country == self.country
            and (not self.regions or region in self.regions)
            and (not self.prefixes or (prefix is not None and prefix.startswith(self.prefixes)))
            and region not in self.except_regions
            and not (prefix is not None and self.except_prefixes and prefix.startswith(self.except_prefixes))
        )


def compile_zone(zone: Zone) -> CompiledZone:
    """The zone, made ready for many carts."""
    return CompiledZone(
        zone.country,
        frozenset(zone.regions),
        tuple(normal_postal(prefix) for prefix in zone.postal_prefixes),
        frozenset(zone.except_regions),
        tuple(normal_postal(prefix) for prefix in zone.except_postal_prefixes),
    )
