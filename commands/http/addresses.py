"""Postal and e-mail addresses of an order, and its buyer's VAT number: what each must have.

Which parts a country's addresses have, `deploy.edge.address_forms` knows. Texts are kept as typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from aggregates import text
from aggregates.orders.events import Address
from commands.http.problems import ADDRESS_INCOMPLETE, ADDRESS_UNFIT
from commands.http.schemas import Body, Line, a_text
from deploy.edge.address_forms import COUNTRIES, PARTS, needed_in, unfit_parts
from deploy.edge.problems import ProblemError, ProblemType, sentence

NEEDED = {country: needed_in(country) for country in sorted(COUNTRIES)}
"""Of city, region and postal_code, those that addresses need, by ISO 3166-1 alpha-2 code."""

AddressCheck = Literal["form", "presence"]
"""Whether an address has all parts that its country needs, or these in the country's form as well."""


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
    country: Country
    city: Line | None = None
    region: Line | None = None
    postal_code: PostalCode | None = None

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


def check_address(check: AddressCheck, address: AddressBody, field: str) -> None:
    """Raises address-incomplete for what is missing, and with `form` address-unfit for what is in another
    form than the country's. `field`: the address's name in the body."""
    needed = NEEDED[address.country]
    given = {part: text for part in (*PARTS.values(),) if (text := getattr(address, part)) is not None}
    # Where there are regions and no cities, either names the place.
    found = given.keys() | ({"region"} if "city" in given and "city" not in needed else set())
    if missing := [part for part in PARTS.values() if part in needed - found]:
        raise _wrong(ADDRESS_INCOMPLETE, field, missing, f"is part of every address in {address.country}")
    if check == "form" and (unfit := unfit_parts(address.country, given)):
        raise _wrong(ADDRESS_UNFIT, field, unfit, f"is not in the form of {address.country}")


def _wrong(kind: ProblemType, field: str, parts: Sequence[str], message: str) -> ProblemError:
    fields = [f"{field}.{part}" for part in parts]
    errors = [{"field": f"body.{name}", "message": message} for name in fields]
    return ProblemError(kind, sentence(errors), fields=fields, errors=errors)
