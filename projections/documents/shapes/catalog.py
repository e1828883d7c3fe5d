"""Products, and what they cost and did cost."""

from __future__ import annotations

from datetime import datetime

import msgspec

from projections.documents.shapes.money import Money, UnitPrice


class PriceTier(msgspec.Struct, omit_defaults=True):
    """A unit's price from a quantity on."""

    start: int = msgspec.field(name="from")
    amount: int
    currency: str
    exact: str | None = None


class ListPrice(msgspec.Struct):
    """A product's prices on a list that asks for no customer group; kind is override or sale. No `markets`
    means all."""

    list_id: str
    kind: str
    currency: str
    label: str
    tax_included: bool
    priority: int
    tiers: list[PriceTier]
    markets: list[str] = []


class PricePoint(msgspec.Struct):
    """What one unit cost from a moment on, in minor units; null: it had no price from then on."""

    since: datetime = msgspec.field(name="from")
    amount: int | None


class PriceSeries(msgspec.Struct):
    """What one unit cost on a list that asks for no customer group, in one currency, from the first moment
    known on; and what of the list decides whether its price counts."""

    list_id: str
    currency: str
    points: list[PricePoint]
    kind: str = "override"
    tax_included: bool = True
    priority: int = 0
    markets: list[str] = []


class PriceHistoryDocument(msgspec.Struct):
    """What one unit of a product cost, by list and currency."""

    sku: str
    series: list[PriceSeries]
    position: int


class VariantDocument(msgspec.Struct):
    """One buyable form of a product."""

    sku: str
    title: str


class ProductDocument(msgspec.Struct):
    """The product page. A SKU that has stock but was never listed has no document in answers.

    `price` is what everybody pays for one unit in the market `main`; `was` what it would be without the sale;
    `prior_price`, where it has fallen, the lowest in the 30 days before that; `prices` those of every list
    that asks for no customer group. `progressive_prior_price`, where it is another, is the prior price for
    markets in which a series of reductions counts as one: in answers it is `prior_price` where `main` is such
    a market.
    `price_points` is what `price` was since 30 days before it changed, or before it began only to fall.
    """

    sku: str
    title: str
    description: str
    category: str
    attributes: dict[str, str]
    price: UnitPrice | None
    available: int  # units for sale now: none of what is not listed
    seller: str
    variants: list[VariantDocument]
    status: str  # "listed", "delisted", or "unlisted" where only stock is known
    position: int
    changed_at: datetime  # when the event at `position` was recorded
    on_hand: int = 0
    reserved: int = 0
    was: UnitPrice | None = None
    prior_price: Money | None = None
    progressive_prior_price: Money | None = None
    prices: list[ListPrice] = []
    price_points: list[PricePoint] = []
