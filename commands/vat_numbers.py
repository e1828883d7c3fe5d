"""The form of VAT numbers: of the EU's countries, of Northern Ireland (XI) and of Great Britain."""

from __future__ import annotations

from dataclasses import dataclass

from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as gb_vat

from aggregates.customers.customer import VatNumberUnfit
from aggregates.kernel import Rejected

GREAT_BRITAIN = "GB"
_PREFIXES = frozenset({"EL", *(code.upper() for code in eu_vat.MEMBER_STATES)})


@dataclass(frozen=True, slots=True)
class VatNumber:
    """A number as VIES takes it: `country` is how it begins (EL for Greece)."""

    number: str
    country: str


def vat_number(text: str) -> VatNumber:
    """The number without spaces, full stops and hyphens. Rejected where the form or the check digits are not
    those of its country."""
    country = text[:2].upper()
    try:
        if country == GREAT_BRITAIN:
            return VatNumber(country + gb_vat.validate(text), country)
        if country not in _PREFIXES:
            raise Rejected(VatNumberUnfit())
        country = "EL" if country == "GR" else country
        return VatNumber(eu_vat.validate(country + text[2:]), country)
    except ValidationError as error:
        raise Rejected(VatNumberUnfit()) from error
