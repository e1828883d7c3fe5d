"""The bodies that define the home, markets, price lists, tax areas and shipping methods.

Their fields are those of `aggregates.pricing.rules`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import ConfigDict, Field, field_validator

from aggregates.pricing.rules import (
    STANDARD,
    Home,
    Market,
    PriceList,
    ShippingMethod,
    TaxArea,
    TaxRate,
)
from aggregates.terms.tax_areas import COMPONENTS_MAX, RATES_MAX
from commands.http.addresses import Country, PostalCode
from commands.http.promotion_bodies import NO_AMOUNTS, SELECTED_MAX, TIERS_MAX, Codes, Markets, Priority
from commands.http.rule_values import (
    Amounts,
    Code,
    Day,
    Locale,
    Moment,
    Percent,
    PostalPrefix,
    Region,
    RuleId,
    VatNumbers,
    by_code,
)
from commands.http.schemas import INTEGRAL, Body, Currency, Line, Reason

WEIGHT_MAX = 1_000_000_000

Regions = Annotated[list[Region], Field(max_length=SELECTED_MAX)]
Prefixes = Annotated[list[PostalPrefix], Field(max_length=SELECTED_MAX)]
Provider = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", description="Who is asked, by its name in the settings")
]


class HomeBody(Body):
    """Where the merchant sells from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"country": "GB", "postal_code": "N1 1AA", "vat_numbers": {"GB": "GB123456789"}},
                {"country": "US", "region": "TX", "tax_included": False},
            ]
        }
    )

    country: Country
    region: Region | None = None
    postal_code: PostalCode | None = None
    vat_numbers: VatNumbers = Field(default={})
    tax_included: Annotated[
        bool,
        Field(
            description="Whether the prices of listings include tax: those that are set from now on. "
            "The others stay as they were set, until they are set again"
        ),
    ] = True

    _by_code = field_validator("region")(by_code)

    def home(self) -> Home:
        """As the terms keep it."""
        return msgspec.convert(self.model_dump(), Home)


class MarketBody(Body):
    """A market. Currencies and locales: the first is the default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"market_id": "gb", "label": "United Kingdom", "countries": ["GB"], "currencies": ["GBP"]},
                {
                    "market_id": "us",
                    "countries": ["US"],
                    "currencies": ["USD"],
                    "locales": ["en-US"],
                    "tax_pricing": "exclusive",
                },
            ]
        }
    )

    market_id: RuleId
    countries: Annotated[list[Country], Field(min_length=1, max_length=300)]
    currencies: Annotated[list[Currency], Field(min_length=1, max_length=200)]
    label: Line = ""
    locales: Annotated[list[Locale], Field(min_length=1, max_length=50)] = Field(default=["en"])
    tax_pricing: Annotated[
        Literal["exclusive", "inclusive", "inclusive_by_country"],
        Field(
            description="`inclusive`: the same price everywhere, with the tax of the destination in it;"
            " `inclusive_by_country`: prices contain the tax of `reference_area`, and change with the"
            " destination's; `exclusive`: tax comes on top"
        ),
    ] = "inclusive"
    shipping_tax: Annotated[
        Literal["proportional", "highest", "category", "none"],
        Field(
            description="Shipping is taxed in proportion to the goods, at their highest rate, in a category"
            " of its own, or not"
        ),
    ] = "proportional"
    reference_area: RuleId | None = None
    progressive: Annotated[
        bool, Field(description="The prior price of a series of reductions is that of the first one")
    ] = False

    def market(self) -> Market:
        """As the terms keep it."""
        return msgspec.convert(self.model_dump(), Market)


class PriceListBody(Body):
    """Whom a list of prices is for. Later only its label and window may change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"list_id": "trade", "currency": "GBP", "customer_groups": ["trade"], "priority": 50},
                {
                    "list_id": "spring",
                    "kind": "sale",
                    "currency": "GBP",
                    "label": "Spring sale",
                    "starts_at": "2026-03-01T00:00:00Z",
                    "ends_at": "2199-04-01T00:00:00Z",
                },
            ]
        }
    )

    list_id: RuleId
    currency: Currency
    kind: Annotated[
        Literal["override", "sale"],
        Field(description="An override replaces other prices; a sale counts where it is lower"),
    ] = "override"
    label: Line = ""
    markets: Markets = Field(default=[])
    customer_groups: Annotated[Codes, Field(description="None are all shoppers")] = Field(default=[])
    tax_included: bool = True
    priority: Annotated[Priority, Field(description="Of several overrides the highest counts")] = 0
    starts_at: Moment | None = None
    ends_at: Moment | None = None

    def price_list(self) -> PriceList:
        """As the terms keep it."""
        return msgspec.convert(self.model_dump(), PriceList)


class TaxComponentBody(Body):
    """One tax of a rate; `compound`: on the net and the components before it."""

    name: Line
    percent: Percent
    compound: bool = False


class TaxRateBody(Body):
    """What is due on a tax category, from a day until before another (UTC)."""

    tax_category: Annotated[Code, Field(examples=[STANDARD])]
    components: Annotated[list[TaxComponentBody], Field(min_length=1, max_length=COMPONENTS_MAX)]
    label: Line = ""
    starts_on: Day | None = None
    ends_on: Day | None = None


Rates = Annotated[
    list[TaxRateBody],
    Field(
        max_length=RATES_MAX,
        examples=[
            [
                {"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]},
                {"tax_category": "books", "components": [{"name": "VAT", "percent": 0}]},
            ]
        ],
    ),
]


class TaxAreaBody(Body):
    """Where rates hold. Of the areas of one place the narrowest counts: the longest prefix, then regions,
    then the country."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "area_id": "gb",
                    "country": "GB",
                    "rates": [{"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}],
                },
                {
                    "area_id": "quebec",
                    "country": "CA",
                    "regions": ["QC"],
                    "components_rounded": "each",
                    "rates": [
                        {
                            "tax_category": "standard",
                            "starts_on": "2013-01-01",
                            "components": [
                                {"name": "GST", "percent": 5},
                                {"name": "QST", "percent": "9.975"},
                            ],
                        }
                    ],
                },
            ]
        }
    )

    area_id: RuleId
    country: Country
    label: Line = ""
    regions: Regions = Field(default=[])
    postal_prefixes: Prefixes = Field(default=[])
    rates: Annotated[
        Rates | None, Field(description="Left out: an area that there is keeps the rates that it has")
    ] = None
    components_rounded: Annotated[
        Literal["each", "together"], Field(description="Every component by itself, or the combined rate once")
    ] = "together"
    sourcing: Annotated[
        Literal["destination", "origin"],
        Field(description="`origin`: within the merchant's own region its own area counts"),
    ] = "destination"
    provider: Provider | None = None
    provider_fallback: Annotated[
        bool, Field(description="Whether the rates here hold where the provider does not answer")
    ] = False

    _by_code = field_validator("regions")(by_code)

    def area(self) -> TaxArea:
        """As the terms keep it; without rates where none were given."""
        return msgspec.convert(self.model_dump() | {"rates": _rates(self.rates or [])}, TaxArea)


class TaxRatesBody(Body):
    """All rates of an area: those that it had are replaced."""

    rates: Rates

    def tax_rates(self) -> tuple[TaxRate, ...]:
        """As the terms keep them."""
        return msgspec.convert(_rates(self.rates), tuple[TaxRate, ...])


class ZoneBody(Body):
    """A country, or in it regions and postal codes that begin so, but none of the excepted ones."""

    country: Country
    regions: Regions = Field(default=[])
    postal_prefixes: Prefixes = Field(default=[])
    except_regions: Regions = Field(default=[])
    except_postal_prefixes: Prefixes = Field(default=[])

    _by_code = field_validator("regions", "except_regions")(by_code)


class ShippingTierBody(Body):
    """The price from so much on: grams or units (`at_least`), or a sum (`from_amount`). With `step` and
    `step_price`, so much more for every started step above it."""

    price: Amounts
    at_least: Annotated[int, Field(ge=0, le=WEIGHT_MAX), INTEGRAL] = 0
    from_amount: Amounts = NO_AMOUNTS
    step: Annotated[int, Field(ge=1, le=WEIGHT_MAX), INTEGRAL] | None = None
    step_price: Amounts = NO_AMOUNTS


class PickupPointBody(Body):
    """Where a shopper fetches an order."""

    point_id: RuleId
    label: Line
    country: Country
    region: Region | None = None
    postal_code: PostalCode | None = None


Days = Annotated[int, Field(ge=0, le=1_000), INTEGRAL]


class ShippingMethodBody(Body):
    """A shipping method, whole: one of the same id is replaced."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "method_id": "post",
                    "label": "Post",
                    "zones": [{"country": "GB", "except_postal_prefixes": ["BT"]}],
                    "tiers": [
                        {"price": {"GBP": 395}},
                        {"at_least": 2000, "price": {"GBP": 595}},
                        {"at_least": 5000, "price": {"GBP": 895}, "step": 500, "step_price": {"GBP": 80}},
                    ],
                    "free_from": {"GBP": 5000},
                    "days": [2, 4],
                },
                {
                    "method_id": "van",
                    "label": "Our van",
                    "by": "amount",
                    "tiers": [
                        {"from_amount": {"GBP": 0}, "price": {"GBP": 900}},
                        {"from_amount": {"GBP": 10000}, "price": {"GBP": 450}},
                    ],
                },
                {
                    "method_id": "collect",
                    "label": "Collect it",
                    "kind": "pickup",
                    "tiers": [{"price": {"GBP": 0}}],
                    "points": [{"point_id": "shop", "label": "The shop in High Street", "country": "GB"}],
                },
            ]
        }
    )

    method_id: RuleId
    label: Line
    kind: Literal["ship", "pickup"] = "ship"
    markets: Markets = Field(default=[])
    zones: Annotated[
        list[ZoneBody], Field(max_length=300, description="Where it goes; none are everywhere")
    ] = Field(default=[])
    by: Literal["weight_grams", "amount", "quantity"] = "weight_grams"
    tiers: Annotated[list[ShippingTierBody], Field(max_length=5 * TIERS_MAX)] = Field(default=[])
    free_from: Annotated[
        Amounts, Field(description="The sum of the goods, after their discounts, from which it is free")
    ] = NO_AMOUNTS
    tax_category: Code = STANDARD
    days: Annotated[
        list[Days] | None,
        Field(min_length=2, max_length=2, description="Fewest and most", examples=[[2, 4]]),
    ] = None
    points: Annotated[list[PickupPointBody], Field(max_length=SELECTED_MAX)] = Field(default=[])
    provider: Provider | None = None

    def method(self) -> ShippingMethod:
        """As the terms keep it."""
        return msgspec.convert(self.model_dump(), ShippingMethod)


class EndBody(Body):
    """Why the promotion ends."""

    reason: Reason = "ended"


def _rates(rates: list[TaxRateBody]) -> list[object]:
    return [rate.model_dump() for rate in rates]
