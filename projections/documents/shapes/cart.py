"""Carts."""

from __future__ import annotations

from datetime import datetime

import msgspec

from projections.documents.shapes.money import Money, UnitPrice
from projections.documents.shapes.pricing import PricedCharge, ShippingAmount, TaxAmount


class Tier(msgspec.Struct):
    """A unit's price from so many units on."""

    quantity: int
    unit_price: UnitPrice


class CartLine(msgspec.Struct, omit_defaults=True):
    """One SKU in a cart: net = line_total - discount.

    `tiers` where the price depends on the quantity; `was` where a sale beat a price; `locked_until`: how
    long the price is held; `gift_of`: the promotion it is a gift of; `tax`: on top or inside, as its group
    says.
    """

    line_id: str
    sku: str
    title: str
    quantity: int
    unit_price: UnitPrice
    line_total: Money
    discount: Money
    net: Money
    list_id: str
    tiers: list[Tier] = []
    was: UnitPrice | None = None
    tax: Money | None = None
    tax_group: str | None = None
    gift_of: str | None = None
    locked_until: datetime | None = None


class NoticeDocument(msgspec.Struct, omit_defaults=True):
    """Something to tell the shopper: what is missing for an order, or for free delivery, or why a coupon
    does nothing."""

    kind: str
    rule: str
    blocks: bool  # the cart cannot be checked out as it is
    amount: Money | None = None
    why: str | None = None


class Coupon(msgspec.Struct):
    """A code that was entered, and its promotion."""

    code: str
    promotion_id: str


class Delivery(msgspec.Struct):
    """Where a cart is to go, as far as rules ask, and how."""

    country: str
    region: str | None
    postal_prefix: str | None
    method_id: str | None
    pickup_point: str | None


class QuoteDocument(msgspec.Struct):
    """What the total rests on: the version of the rules, and when the first thing that it depends on ends."""

    terms: int
    expires_at: datetime | None


class CartDocument(msgspec.Struct):
    """A cart; status is open, checked_out, merged or expired. `total` is what the shopper is quoted.

    `quote` is None where no rule of sale has a part in the total: it is the sum of the lines.
    """

    id: str
    status: str
    currency: str
    version: int
    lines: list[CartLine]
    total: Money
    position: int
    customer_id: str | None = None
    order_id: str | None = None
    market: str = "main"
    charges: list[PricedCharge] = []
    taxes: list[TaxAmount] = []
    shipping: ShippingAmount | None = None
    coupons: list[Coupon] = []
    delivery: Delivery | None = None
    notices: list[NoticeDocument] = []
    quote: QuoteDocument | None = None
