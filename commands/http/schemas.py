"""The schemas of bodies and paths, shared by the routes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from aggregates import text
from aggregates.currencies import MINOR_DIGITS
from aggregates.kernel import Money, UnitPrice


class Body(BaseModel):
    """A request body: unknown fields are errors, and no type is guessed from another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _integral(value: object) -> object:
    """JSON has one kind of number: 2.0 is the integer 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _currency(code: str) -> str:
    if code not in MINOR_DIGITS:
        raise ValueError("is no ISO 4217 currency code")
    return code


INTEGRAL = BeforeValidator(_integral)
QUANTITY_MAX = 10_000_000
AMOUNT_MAX = 100_000_000_00
"""What no setting can raise: 100 million pounds."""

SKU = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ID = r"^[A-Za-z0-9_-]{1,64}$"


def a_text(
    spell: Callable[[str], str], pattern: str, *, characters_max: int, characters_min: int = 1
) -> tuple[Any, ...]:
    """What makes a `str` a text in the shop's one spelling; the pattern is what `spell` takes."""

    def normalize(value: str) -> str:
        normalized = spell(value)
        if not characters_min <= len(normalized) <= characters_max:
            raise ValueError(f"has {len(normalized)} characters, not {characters_min} to {characters_max}")
        return normalized

    schema: JsonDict = {"pattern": pattern, "minLength": characters_min, "maxLength": characters_max}
    return AfterValidator(normalize), Field(json_schema_extra=schema)


SkuText = Annotated[str, Field(pattern=SKU, examples=["MUG-BLUE"])]
SkuPath = Annotated[str, Path(pattern=SKU, description="The product's SKU.")]
IdPath = Annotated[str, Path(pattern=ID, description="The id a command answered with.")]
Currency = Annotated[
    str,
    AfterValidator(_currency),
    Field(pattern="^[A-Z]{3}$", json_schema_extra={"enum": sorted(MINOR_DIGITS)}, examples=["GBP"]),
]
Line = Annotated[str, *a_text(text.line, text.LINE, characters_max=200)]
Reason = Annotated[str, *a_text(text.line, text.LINE, characters_max=500)]
CustomerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@-]{1,64}$", examples=["17850"])]
Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX), INTEGRAL]


class MoneyBody(Body):
    """An amount in minor units: {"amount": 1299, "currency": "GBP"} is £12.99."""

    amount: Annotated[int, Field(ge=0, le=AMOUNT_MAX), INTEGRAL]
    currency: Currency

    def money(self) -> Money:
        """The kernel's own."""
        return Money(self.amount, self.currency)


class AmountBody(MoneyBody):
    """An amount above nothing."""

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX), INTEGRAL]


class PriceBody(MoneyBody):
    """A unit price; `exact`, a decimal in major units, where it is finer than the minor unit."""

    exact: Annotated[str | None, Field(pattern=r"^\d{1,12}(\.\d{1,6})?$", examples=["2.555"])] = None

    def unit_price(self) -> UnitPrice:
        """The kernel's own. ValueError where `exact` does not round to `amount`."""
        if self.exact is None:
            return UnitPrice.of(self.money())
        price = UnitPrice(Decimal(self.exact), self.currency)
        if price.times(1).amount != self.amount:
            raise ValueError("exact does not round to amount")
        return price


class LineQuantityBody(Body):
    """Some units of one order line."""

    line_id: Annotated[str, Field(pattern=ID)]
    quantity: Quantity


class AnswerBody(BaseModel):
    """What a command is answered with: what it made or changed, and where the log stands."""

    id: str
    version: int
    position: int


class OrderPartAnswer(AnswerBody):
    """The answer for a part of an order: its own id, and the order's."""

    order_id: str
