"""The body that defines a promotion. Its fields are those of `aggregates.pricing.rules`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from aggregates import text
from aggregates.pricing.rules import Promotion
from commands.http.addresses import Country
from commands.http.product_bodies import AttributeName, Category
from commands.http.rule_values import Amounts, Code, Moment, Percent, RuleId
from commands.http.schemas import INTEGRAL, Body, Line, Quantity, SkuText, a_text

CONDITIONS_MAX = 20
TIERS_MAX = 20
PARTS_MAX = 20
SELECTED_MAX = 1_000
LIMIT_MAX = 1_000_000_000
PRIORITY_MAX = 1_000_000

NO_AMOUNTS = Amounts({})
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX), INTEGRAL]
Priority = Annotated[int, Field(ge=-PRIORITY_MAX, le=PRIORITY_MAX), INTEGRAL]
Codes = Annotated[list[Code], Field(max_length=SELECTED_MAX)]
Skus = Annotated[list[SkuText], Field(max_length=SELECTED_MAX)]
Categories = Annotated[list[Category], Field(max_length=SELECTED_MAX)]
Markets = Annotated[
    list[RuleId],
    Field(max_length=SELECTED_MAX, description="Ids of markets; none are all", examples=[["gb"]]),
]
Sellers = Annotated[list[Line], Field(max_length=SELECTED_MAX)]


class SelectorBody(Body):
    """Which lines: all given parts hold, each part is any-of. A category selects those below it too."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"categories": ["Kitchen"], "not_skus": ["MUG-BLUE"]}, {"skus": ["MUG-RED"]}]
        }
    )

    skus: Skus = Field(default=[])
    groups: Codes = Field(default=[])
    categories: Categories = Field(default=[])
    attributes: Annotated[
        dict[AttributeName, Annotated[list[Line], Field(max_length=SELECTED_MAX)]],
        Field(
            max_length=50,
            json_schema_extra={"additionalProperties": False},
            examples=[{"color": ["blue", "red"]}],
        ),
    ] = Field(default={})
    sellers: Sellers = Field(default=[])
    not_skus: Skus = Field(default=[])
    not_categories: Categories = Field(default=[])
    not_on_sale: bool = False


EVERY_LINE = SelectorBody()


class ConditionBody(Body):
    """One condition. Its kind says which fields it needs, and takes no others:

    `amount_at_least`: `amount`, `selector`? · `quantity_at_least`: `quantity`, `selector`? · `first_order` ·
    `customer_groups`: `customer_groups` · `countries`: `countries`
    """

    kind: Literal["amount_at_least", "quantity_at_least", "first_order", "customer_groups", "countries"]
    selector: SelectorBody = EVERY_LINE
    amount: Amounts = NO_AMOUNTS
    quantity: Annotated[Quantity, Field(description="Units in all lines")] = 0
    customer_groups: Codes = Field(default=[])
    countries: Annotated[list[Country], Field(max_length=SELECTED_MAX)] = Field(default=[])


class AnyOfBody(ConditionBody):
    """One condition, or `any_of` several of which one must hold."""

    kind: Literal[  # type: ignore[assignment]  # one more
        "amount_at_least", "quantity_at_least", "first_order", "customer_groups", "countries", "any_of"
    ]
    any_of: Annotated[list[ConditionBody], Field(max_length=CONDITIONS_MAX)] = Field(default=[])


class ActionTierBody(Body):
    """What is given from so much on: `quantity` and `percent` of a `percent`; `from_amount`, the sum of the
    selected lines, and `percent` or `amount` of a `percent_off` or `amount_off`."""

    quantity: Quantity = 0
    from_amount: Amounts = NO_AMOUNTS
    percent: Percent = 0
    amount: Amounts = NO_AMOUNTS


class BundlePartBody(Body):
    """So many units of what is selected, in each bundle."""

    selector: SelectorBody
    quantity: Quantity


class ActionBody(Body):
    """What a promotion gives. Its kind says which fields it needs, and takes no others:

    of lines `percent`: `percent` or `tiers` (by the units of the line or of the selection, `tiers_by`),
    `selector`? · `per_unit`: `amount`, `selector`? · `unit_price`: `price`, `selector`? ·
    `buy_get`: `buy_quantity`, `get_quantity`, `percent`, `buy`?, `get`?, `times_max`?, `spread`? ·
    `bundle`: `parts`, one of `price`, `percent`, `amount`, `times_max`?
    of the cart `percent_off`: `percent` or `tiers`, `selector`? · `amount_off`: `amount` or `tiers`,
    `selector`? · `gift`: `skus`, `quantity`?
    of shipping `shipping_percent`: `percent` · `shipping_amount`: `amount` · `shipping_price`: `price`
    """

    kind: Literal[
        "percent",
        "per_unit",
        "unit_price",
        "buy_get",
        "bundle",
        "percent_off",
        "amount_off",
        "gift",
        "shipping_percent",
        "shipping_amount",
        "shipping_price",
    ]
    selector: SelectorBody = EVERY_LINE
    percent: Percent = 0
    amount: Amounts = NO_AMOUNTS
    price: Amounts = NO_AMOUNTS
    tiers: Annotated[list[ActionTierBody], Field(max_length=TIERS_MAX)] = Field(default=[])
    tiers_by: Literal["line", "selection"] = "line"
    buy: SelectorBody = EVERY_LINE
    buy_quantity: Quantity = 0
    get: SelectorBody = EVERY_LINE
    get_quantity: Quantity = 0
    spread: Literal["all", "rewarded"] = "all"
    parts: Annotated[list[BundlePartBody], Field(max_length=PARTS_MAX)] = Field(default=[])
    times_max: Limit | None = None
    skus: Annotated[Skus, Field(description="Gifts to choose from; the first by default")] = Field(default=[])
    quantity: Quantity = 1


EXAMPLES: list[JsonDict] = [
    {
        "promotion_id": "spring10",
        "label": "10 % off",
        "action": {"kind": "percent_off", "percent": 10},
        "starts_at": "2026-03-01T00:00:00Z",
        "ends_at": "2199-04-01T00:00:00+01:00",
        "cap": {"GBP": 5000, "USD": 6000},
    },
    {
        "promotion_id": "mugs",
        "label": "5 % off 3 mugs, 10 % off 6",
        "action": {
            "kind": "percent",
            "selector": {"categories": ["Kitchen > Mugs"], "not_on_sale": True},
            "tiers": [{"quantity": 3, "percent": 5}, {"quantity": 6, "percent": "9.975"}],
            "tiers_by": "selection",
        },
        "group": "kitchen",
        "priority": 200,
    },
    {
        "promotion_id": "three-for-two",
        "label": "3 for 2",
        "action": {
            "kind": "buy_get",
            "buy": {"attributes": {"brand": ["Acme"]}},
            "buy_quantity": 2,
            "get": {"attributes": {"brand": ["Acme"]}},
            "get_quantity": 1,
            "percent": 100,
            "times_max": 4,
        },
    },
    {
        "promotion_id": "breakfast",
        "label": "A mug and two teas for 12.00",
        "action": {
            "kind": "bundle",
            "parts": [
                {"selector": {"categories": ["Kitchen > Mugs"]}, "quantity": 1},
                {"selector": {"categories": ["Tea"]}, "quantity": 2},
            ],
            "price": {"GBP": 1200},
        },
    },
    {
        "promotion_id": "welcome",
        "label": "5.00 off your first order, or for the trade",
        "automatic": False,
        "action": {
            "kind": "amount_off",
            "tiers": [
                {"from_amount": {"GBP": 2500}, "amount": {"GBP": 500}},
                {"from_amount": {"GBP": 5000}, "amount": {"GBP": 1200}},
            ],
        },
        "conditions": [
            {
                "kind": "any_of",
                "any_of": [
                    {"kind": "first_order"},
                    {"kind": "customer_groups", "customer_groups": ["trade"]},
                ],
            },
            {"kind": "countries", "countries": ["GB", "IE"]},
        ],
        "uses_max": 1000,
        "uses_per_shopper_max": 1,
        "budget": {"GBP": 500000},
        "guests": "by_email",
    },
    {
        "promotion_id": "tea-gift",
        "label": "A tea from 40.00",
        "action": {"kind": "gift", "skus": ["TEA-GREEN", "TEA-BLACK"]},
        "conditions": [{"kind": "amount_at_least", "amount": {"GBP": 4000}}],
        "announce": True,
    },
    {
        "promotion_id": "free-delivery",
        "label": "Free delivery from 3 mugs",
        "action": {"kind": "shipping_price", "price": {"GBP": 0, "USD": 0}},
        "conditions": [
            {"kind": "quantity_at_least", "selector": {"categories": ["Kitchen > Mugs"]}, "quantity": 3}
        ],
        "exclusive": True,
    },
]


class PromotionBody(Body):
    """A promotion, whole: one of the same id is replaced."""

    model_config = ConfigDict(json_schema_extra={"examples": [*EXAMPLES]})

    promotion_id: RuleId
    label: Annotated[
        str,
        *a_text(text.line, text.LINE, characters_max=200),
        Field(description="What shoppers read beside the discount", examples=["10 % off"]),
    ]
    action: ActionBody
    automatic: Annotated[bool, Field(description="If not, it needs one of its coupons in the cart")] = True
    starts_at: Moment | None = None
    ends_at: Annotated[Moment | None, Field(description="It applies until before then")] = None
    markets: Markets = Field(default=[])
    priority: Annotated[Priority, Field(description="The higher comes first, then by promotion_id")] = 100
    group: Annotated[Code | None, Field(description="Of a group at most one applies")] = None
    group_mode: Literal["best", "first"] = "best"
    exclusive: Annotated[bool, Field(description="It applies alone, where that is cheaper")] = False
    conditions: Annotated[
        list[AnyOfBody], Field(max_length=CONDITIONS_MAX, description="All of them must hold")
    ] = Field(default=[])
    uses_max: Annotated[Limit | None, Field(description="Orders that may use it")] = None
    uses_per_shopper_max: Limit | None = None
    budget: Annotated[Amounts, Field(description="All discounts of it together")] = NO_AMOUNTS
    cap: Annotated[Amounts, Field(description="The discount in one order")] = NO_AMOUNTS
    guests: Annotated[
        Literal["refuse", "by_email"],
        Field(description="Whether a guest's e-mail address may stand for a shopper, where one is counted"),
    ] = "refuse"
    announce: Annotated[bool, Field(description="Whether pages show it to everybody while it runs")] = False

    def promotion(self) -> Promotion:
        """As the terms keep it."""
        return msgspec.convert(self.model_dump(), Promotion)
