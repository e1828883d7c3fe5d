"""Values in the bodies of rules of sale: amounts by currency, percentages, times, places, codes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, RootModel, ValidationInfo

from aggregates import text
from aggregates.currencies import MINOR_DIGITS
from aggregates.pricing.destinations import normal_postal
from aggregates.pricing.rules import WHOLE
from commands.http.addresses import NEEDED
from commands.http.schemas import AMOUNT_MAX, ID, INTEGRAL, a_text
from commands.regions import region_name

_DATE = (
    r"(?:19|20|21)\d\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2\d))"
)
DATE = rf"^{_DATE}$"
MOMENT = rf"^{_DATE}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{{1,6}})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$"
PERCENT = r"^(?:100(?:\.0{1,4})?|\d{1,2}(?:\.\d{1,4})?)$"
_PERCENT_DIGITS = 4
_moment, _date, _percent = re.compile(MOMENT), re.compile(DATE), re.compile(PERCENT)


def _to_moment(value: object) -> datetime:
    if not isinstance(value, str) or not _moment.fullmatch(value):
        raise ValueError("is no time such as 2026-11-27T00:00:00Z, of the years 1900 to 2199")
    return datetime.fromisoformat(value).astimezone(UTC)


def _to_date(value: object) -> date:
    if not isinstance(value, str) or not _date.fullmatch(value):
        raise ValueError("is no date such as 2027-01-01, of the years 1900 to 2199")
    return date.fromisoformat(value)


def _to_ppm(value: object) -> int:
    """10, 9.975 or "9.975" as parts per million."""
    if isinstance(value, float):  # as near as a number of JSON comes to its decimals
        rounded = round(value, _PERCENT_DIGITS) + 0.0  # which is not -0.0
        value = f"{rounded:.{_PERCENT_DIGITS}f}" if abs(rounded - value) < 1e-9 else ""
    if isinstance(value, bool) or not _percent.fullmatch(str(value)):
        raise ValueError(f"is no percentage from 0 to 100, of at most {_PERCENT_DIGITS} decimals")
    return int(Decimal(str(value)) * WHOLE / 100)


Moment = Annotated[
    datetime,
    BeforeValidator(_to_moment, json_schema_input_type=str),
    Field(
        description="A time (RFC 3339)",
        json_schema_extra={"type": "string", "pattern": MOMENT},
        examples=["2026-11-27T00:00:00Z"],
    ),
]
Day = Annotated[
    date,
    BeforeValidator(_to_date, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "pattern": DATE}, examples=["2027-01-01"]),
]
Percent = Annotated[
    int,
    BeforeValidator(
        _to_ppm,
        json_schema_input_type=Annotated[int, Field(ge=0, le=100)]
        | Annotated[float, Field(ge=0, le=100, multiple_of=0.0001)]
        | Annotated[str, Field(pattern=PERCENT)],
    ),
    Field(description='A percentage: 10, 9.975 or "9.975"', examples=[10, "9.975"]),
]


def _to_currency(code: str) -> str:
    if code not in MINOR_DIGITS:
        raise ValueError("is no ISO 4217 currency code")
    return code


def _to_country(code: str) -> str:
    if code not in NEEDED:
        raise ValueError("is no ISO 3166-1 alpha-2 country code")
    return code


_AMOUNTS = dict[
    Annotated[str, AfterValidator(_to_currency)], Annotated[int, Field(ge=0, le=AMOUNT_MAX), INTEGRAL]
]


class Amounts(RootModel[_AMOUNTS]):
    """Minor units by currency: {"GBP": 500, "USD": 600} is 5.00 pounds and 6.00 dollars. The rule does not
    apply to a cart in another currency."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        json_schema_extra={
            "propertyNames": {"enum": [*sorted(MINOR_DIGITS)]},
            "examples": [{"GBP": 500, "USD": 600}],
        },
    )


RuleId = Annotated[str, Field(pattern=ID, examples=["spring"])]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
"""The name of a customer group, a product group, a tax category."""
Locale = Annotated[str, Field(pattern=r"^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$", examples=["en-GB"])]
Region = Annotated[str, *a_text(text.line, text.LINE, characters_max=60), Field(examples=["TX"])]
PostalPrefix = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 -]{0,8}[A-Za-z0-9])?$",
        description="How postal codes begin; case, spaces and hyphens do not matter",
        examples=["BT", "787"],
    ),
    AfterValidator(normal_postal),
]
VatNumbers = Annotated[
    dict[Annotated[str, AfterValidator(_to_country)], Annotated[str, Field(pattern="^[A-Z0-9]{2,20}$")]],
    Field(
        json_schema_extra={"propertyNames": {"enum": [*sorted(NEEDED)]}},
        examples=[{"GB": "GB123456789"}],
    ),
]


_CODE = r"^[A-Za-z0-9-]{3,40}$"
CouponCode = Annotated[
    str,
    Field(pattern=_CODE, description="Small letters are made capital", examples=["SPRING-10"]),
    AfterValidator(str.upper),
]
CodePath = Annotated[
    str,
    Path(pattern=_CODE, description="The coupon's code; small letters are made capital."),
    AfterValidator(str.upper),
]


def by_code(value: Any, info: ValidationInfo) -> Any:
    """A region, or several, of the body's country: by their codes, where they have any."""
    country = info.data.get("country")
    if value is None or country is None:
        return value
    return (
        region_name(country, value)
        if isinstance(value, str)
        else [region_name(country, one) for one in value]
    )
