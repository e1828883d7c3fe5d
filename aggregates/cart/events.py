"""What can happen to a cart. Stream `cart-<id>`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from aggregates.kernel import CartId, LineId, OrderId, Sku
from aggregates.pricing.context import TargetTax, Traits
from aggregates.pricing.explanation import ChargePrice, LinePrice, Notice, ShippingPrice, TaxTotal
from aggregates.pricing.rules import BASE, MAIN_MARKET, Tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class CartOpened:
    """A shopper took a cart; every price in it is in `currency`, and of the market."""

    cart_id: CartId
    currency: str
    customer_id: str | None = None
    market: str = MAIN_MARKET
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenPrice:
    """The price a line was taken at: the tiers of one list. `was`: the exact unit price that a sale beat."""

    list_id: str
    currency: str
    tiers: Tiers
    was: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAdded:
    """A line for a SKU that was not in the cart, at the price of that moment, which holds until
    `locked_until`.

    `traits` None: unknown, of what was stored as number 1. `locked_until` None: until it is quoted anew.
    `gift_of`: the promotion that the line is a gift of.
    """

    cart_id: CartId
    line_id: LineId
    sku: Sku
    title: str
    quantity: int
    price: TakenPrice
    traits: Traits | None
    seller: str | None = None
    locked_until: datetime | None = None
    gift_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityChanged:
    """The line now holds `quantity` units (at least 1)."""

    cart_id: CartId
    line_id: LineId
    sku: Sku
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRemoved:
    """The line is gone."""

    cart_id: CartId
    line_id: LineId
    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class RequotedLine:
    """A line's price was chosen anew. `before`: its exact unit price until then."""

    line_id: LineId
    sku: Sku
    before: Decimal
    price: TakenPrice
    traits: Traits
    seller: str
    locked_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesRequoted:
    """Lines have the prices of this moment: because the shopper asked, or because their locks were over at
    checkout."""

    cart_id: CartId
    lines: tuple[RequotedLine, ...]
    cause: Literal["quote", "checkout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponEntered:
    """The code counts for the promotion while it is in the cart."""

    cart_id: CartId
    code: str
    promotion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRemoved:
    """The code is not in the cart any more."""

    cart_id: CartId
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChosen:
    """Where it is to go, as far as rules ask, and how."""

    cart_id: CartId
    country: str
    region: str | None = None
    postal_prefix: str | None = None
    method_id: str | None = None
    pickup_point: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftDeclined:
    """The shopper does not want this promotion's gift."""

    cart_id: CartId
    promotion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftChosen:
    """The shopper wants this SKU of those that the promotion gives."""

    cart_id: CartId
    promotion_id: str
    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxQuoted:
    """An outside provider's answer, by target: it counts while `digest` is that of what is asked, until
    `expires_at`."""

    cart_id: CartId
    digest: str
    provider: str
    reference: str
    answers: dict[str, TargetTax]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingQuoted:
    """A carrier's price for a method, in minor units: it counts while `digest` fits, until `expires_at`."""

    cart_id: CartId
    digest: str
    provider: str
    reference: str
    amount: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CartPriced:
    """What the cart costs by version `terms` of the rules, where that is not the plain sum of its lines, or
    was not.

    `expires_at`: when the first lock, outside answer or promotion that it rests on ends.
    """

    cart_id: CartId
    terms: int
    lines: tuple[LinePrice, ...]
    charges: tuple[ChargePrice, ...]
    total: int
    taxes: tuple[TaxTotal, ...] = ()
    shipping: ShippingPrice | None = None
    notices: tuple[Notice, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartCheckedOut:
    """The cart became an order; it changes no more."""

    cart_id: CartId
    order_id: OrderId


CartEvent = (
    CartOpened
    | ItemAdded
    | QuantityChanged
    | ItemRemoved
    | PricesRequoted
    | CouponEntered
    | CouponRemoved
    | DeliveryChosen
    | GiftDeclined
    | GiftChosen
    | TaxQuoted
    | ShippingQuoted
    | CartPriced
    | CartCheckedOut
)


def cart_opened_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Number 1 knew one market."""
    return data | {"market": MAIN_MARKET, "locale": None}


def item_added_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Number 1 had one price, of the product's own list, which held for ever."""
    price = data["unit_price"]
    kept = {name: value for name, value in data.items() if name != "unit_price"}
    return kept | {
        "price": {"list_id": BASE, "currency": price["currency"], "tiers": [[1, price["exact"]]]},
        "traits": None,
    }
