"""The rules of sale."""

from __future__ import annotations

from datetime import datetime

import msgspec

from projections.documents.shapes.money import Money


class Market(msgspec.Struct):
    """Whom one set of prices and taxes is for. Currencies and locales: the first is the default.

    `tax_pricing`: exclusive, inclusive (one price everywhere), inclusive_by_country (less the tax of
    `reference_area`, and with the destination's). `progressive`: of a series of reductions the prior price
    is that of the first.
    """

    market_id: str
    label: str
    countries: list[str]
    currencies: list[str]
    locales: list[str]
    tax_pricing: str
    shipping_tax: str
    reference_area: str | None
    progressive: bool


class PriceListHead(msgspec.Struct):
    """Whom a price list is for; no `markets` or `customer_groups` means all. Kind is override or sale."""

    list_id: str
    kind: str
    currency: str
    label: str
    markets: list[str]
    customer_groups: list[str]
    tax_included: bool
    priority: int
    starts_at: datetime | None
    ends_at: datetime | None


class ShippingZone(msgspec.Struct):
    """Places: a country, or regions of it and postal codes that begin so; but none of those excepted."""

    country: str
    regions: list[str]
    postal_prefixes: list[str]
    except_regions: list[str]
    except_postal_prefixes: list[str]


class ShippingTier(msgspec.Struct, omit_defaults=True):
    """The price from so much on, by currency: from `at_least` grams or units, or from a sum, `from_amount`.
    `step_price`: so much more for every `step` grams or units that is begun above it."""

    price: list[Money]
    at_least: int | None = None
    from_amount: list[Money] = []
    step: int | None = None
    step_price: list[Money] = []


class PickupPoint(msgspec.Struct):
    """Where a shopper fetches an order."""

    point_id: str
    label: str
    country: str
    region: str | None
    postal_code: str | None


class ShippingMethod(msgspec.Struct):
    """How an order gets to its shopper, and for how much. No `markets` means all, no `zones` everywhere.

    Kind is ship or pickup; `by` says what the tiers go by: weight_grams, amount or quantity. `free_from`:
    the sums from which it costs nothing; `days`: fewest and most.
    """

    method_id: str
    label: str
    kind: str
    markets: list[str]
    zones: list[ShippingZone]
    by: str
    tiers: list[ShippingTier]
    free_from: list[Money]
    tax_category: str
    days: tuple[int, int] | None
    points: list[PickupPoint]


class PromotionHead(msgspec.Struct):
    """What is announced of a promotion, and whether it is to be: `running`, `automatic`, `announce`."""

    promotion_id: str
    label: str
    markets: list[str]
    starts_at: datetime | None
    ends_at: datetime | None
    automatic: bool
    announce: bool
    running: bool


class AnnouncedPromotion(msgspec.Struct):
    """A promotion that runs, needs no coupon and is for everybody to see. No `markets` means all."""

    promotion_id: str
    label: str
    markets: list[str]
    starts_at: datetime | None
    ends_at: datetime | None


class TermsDocument(msgspec.Struct, omit_defaults=True):
    """The rules of sale of one kind, in the order of their ids. The document key is the kind, and the name of
    the one list that has entries: markets, price_lists, shipping_methods, promotions."""

    position: int
    markets: list[Market] = []
    price_lists: list[PriceListHead] = []
    shipping_methods: list[ShippingMethod] = []
    promotions: list[PromotionHead] = []
