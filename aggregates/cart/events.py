"""What can happen to a cart. Stream `cart-<id>`."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import CartId, LineId, OrderId, Sku, UnitPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class CartOpened:
    """A shopper took a cart; every price in it is in `currency`."""

    cart_id: CartId
    currency: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAdded:
    """A line for a SKU that was not in the cart, at the price of that moment."""

    cart_id: CartId
    line_id: LineId
    sku: Sku
    title: str
    quantity: int
    unit_price: UnitPrice


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
class CartCheckedOut:
    """The cart became an order; it changes no more."""

    cart_id: CartId
    order_id: OrderId


CartEvent = CartOpened | ItemAdded | QuantityChanged | ItemRemoved | CartCheckedOut
