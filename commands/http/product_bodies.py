"""The bodies that list a product, revise it and price it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from aggregates import text
from aggregates.pricing.rules import BASE, STANDARD
from commands.http.rule_values import Code, Moment, RuleId
from commands.http.schemas import (
    ID,
    INTEGRAL,
    AnswerBody,
    Body,
    Line,
    PriceBody,
    Quantity,
    Reason,
    SkuText,
    a_text,
)

TIERS_MAX = 20
ITEMS_MAX = 1_000
WEIGHT_MAX = 1_000_000_000

Category = Annotated[
    str,
    *a_text(text.category, text.CATEGORY, characters_max=200),
    Field(description=f"1 to {text.LEVELS_MAX} levels joined by ` > `", examples=["Kitchen > Mugs"]),
]
AttributeName = Annotated[str, *a_text(text.line, text.LINE, characters_max=60)]


def _each_once(attributes: object) -> object:
    """Names that are spelt alike are one name."""
    if isinstance(attributes, dict):
        names = [text.line(name) for name in attributes if isinstance(name, str)]
        if len(set(names)) < len(names):
            raise ValueError("names an attribute twice")
    return attributes


class FactsBody(Body):
    """What a product is, but for its price."""

    title: Line
    description: Annotated[str, *a_text(text.prose, text.PROSE, characters_max=10_000, characters_min=0)] = ""
    category: Category
    attributes: Annotated[
        dict[AttributeName, Line],
        BeforeValidator(_each_once),
        Field(max_length=50, json_schema_extra={"additionalProperties": False}, examples=[{"color": "blue"}]),
    ] = Field(default={})
    seller: Line = "main"
    tax_category: Annotated[Code, Field(description="Which rates of a tax area it has")] = STANDARD
    weight_grams: Annotated[
        Annotated[int, Field(ge=0, le=WEIGHT_MAX), INTEGRAL] | None,
        Field(description="Of one unit; for shipping by weight"),
    ] = None
    ships: Annotated[
        bool | None,
        Field(description="Whether it is sent: its order needs a shipping method; gift cards by default not"),
    ] = None
    discountable: Annotated[bool, Field(description="Whether promotions may concern it")] = True
    gift_card: Annotated[bool, Field(description="What is sold is credit of its price")] = False


class ProductBody(FactsBody):
    """A product to be put on sale."""

    sku: SkuText
    price: PriceBody


class TierBody(PriceBody):
    """A unit price from a quantity on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from": 10, "amount": 900, "currency": "GBP"}]}
    )

    start: Annotated[Quantity, Field(alias="from", description="The fewest units that have this price")]


def _ascending(tiers: list[TierBody]) -> list[TierBody]:
    starts = [tier.start for tier in tiers]
    if any(after <= before for before, after in pairwise(starts)):
        raise ValueError("is not in ascending order of `from`")
    if len({tier.currency for tier in tiers}) > 1:
        raise ValueError("is in several currencies")
    return tiers


Tiers = Annotated[
    list[TierBody],
    Field(
        min_length=1,
        max_length=TIERS_MAX,
        description="Of one currency, each `from` above the one before",
        examples=[
            [
                {"from": 1, "amount": 1000, "currency": "GBP"},
                {"from": 10, "amount": 900, "currency": "GBP"},
            ]
        ],
    ),
    AfterValidator(_ascending),
]
StartsAt = Annotated[
    Moment | None,
    Field(description="From when on, in the list's window; now where left out"),
]
EndsAt = Annotated[Moment | None, Field(description="Until before when; for good where left out")]


class NewPriceBody(Body):
    """A price, or tiers, of a list: from now on, or in a window."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["price"]}, {"required": ["tiers"]}],
            "examples": [{"price": {"amount": 1299, "currency": "GBP"}}],
        }
    )

    price: PriceBody | None = None
    tiers: Tiers | None = None
    list_id: RuleId = BASE
    starts_at: StartsAt = None
    ends_at: EndsAt = None

    @model_validator(mode="after")
    def _one_of_them(self) -> NewPriceBody:
        if (self.price is None) == (self.tiers is None):
            raise ValueError("has either price or tiers")
        return self


class ListItemBody(Body):
    """A product's tiers on a list."""

    sku: SkuText
    tiers: Tiers


def _skus_once(items: list[ListItemBody]) -> list[ListItemBody]:
    seen: set[str] = set()
    for item in items:
        if item.sku in seen:
            raise ValueError(f"has {item.sku} twice")
        seen.add(item.sku)
    return items


class ListPricesBody(Body):
    """Prices of many products on a list: all of them are changed, or none."""

    items: Annotated[
        list[ListItemBody], Field(min_length=1, max_length=ITEMS_MAX), AfterValidator(_skus_once)
    ]
    starts_at: StartsAt = None
    ends_at: EndsAt = None


class CancelScheduleBody(Body):
    """Which schedule of the product's prices is to be canceled."""

    schedule_id: Annotated[str, Field(pattern=ID)]


class DelistBody(Body):
    """Why the product leaves the shop."""

    reason: Reason = "delisted"


class PriceAnswer(AnswerBody):
    """The answer to a new price; `schedule_id` where it is to start later, or to end."""

    schedule_id: str | None = None
