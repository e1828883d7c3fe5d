"""Commands on carts. Checking out is `PlaceOrder` in orders.py: it concerns more than the cart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.cart import cart
from aggregates.cart.cart import Cart, Limits
from aggregates.catalog import product
from aggregates.kernel import CartId, Sku
from aggregates.pricing.rules import MAIN_MARKET
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache
from commands.quoting import price_for


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCart:
    """Take a cart; `cart_id` is `new_id()`: nobody can guess it."""

    name: ClassVar = "open_cart"
    cart_id: CartId
    currency: str
    customer_id: str | None = None
    market: str = MAIN_MARKET
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItem:
    """Put units of a product into a cart."""

    name: ClassVar = "add_item"
    cart_id: CartId
    sku: Sku
    quantity: int
    limits: Limits
    locked_until: datetime  # UTC; the price of a new line holds until then


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuantity:
    """Make a cart's line hold exactly so many units; 0 removes it."""

    name: ClassVar = "set_quantity"
    cart_id: CartId
    sku: Sku
    quantity: int
    limits: Limits
    locked_until: datetime  # UTC; the price of a new line holds until then


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveItem:
    """Take a product out of a cart."""

    name: ClassVar = "remove_item"
    cart_id: CartId
    sku: Sku


def handle_open_cart(cache: StateCache, command: OpenCart) -> Decision:
    """Opens the cart."""
    stream = cart.stream(command.cart_id)
    decision = Decision(id=command.cart_id, stream=stream, created=True)
    decision.add(
        stream,
        cart.open_cart(
            cache.state(stream),
            cart_id=command.cart_id,
            currency=command.currency,
            customer_id=command.customer_id,
            market=command.market,
            locale=command.locale,
        ),
    )
    return decision


def handle_add_item(cache: StateCache, command: AddItem) -> Decision:
    """Adds the item at today's price; 201 where it is a new line."""
    stream, product_stream = cart.stream(command.cart_id), product.stream(command.sku)
    states = cache.states((stream, product_stream))
    decision = Decision(id=command.cart_id, stream=stream)
    held: Cart = states[stream]
    offer = states[product_stream].offer
    line = held.lines.get(command.sku)
    decision.created = line is None
    decision.add(
        stream,
        cart.add_item(
            held,
            cart_id=command.cart_id,
            sku=command.sku,
            quantity=command.quantity,
            offer=offer,
            price=price_for(held, offer, command.quantity + (line.quantity if line else 0)),
            locked_until=command.locked_until,
            limits=command.limits,
        ),
    )
    return decision


def handle_set_quantity(cache: StateCache, command: SetQuantity) -> Decision:
    """Sets the line's quantity; a product that is not in the cart yet is added at today's price."""
    stream, product_stream = cart.stream(command.cart_id), product.stream(command.sku)
    states = cache.states((stream, product_stream))
    decision = Decision(id=command.cart_id, stream=stream)
    held: Cart = states[stream]
    offer = states[product_stream].offer
    decision.add(
        stream,
        cart.set_quantity(
            held,
            cart_id=command.cart_id,
            sku=command.sku,
            quantity=command.quantity,
            offer=offer,
            price=price_for(held, offer, command.quantity),
            locked_until=command.locked_until,
            limits=command.limits,
        ),
    )
    return decision


def handle_remove_item(cache: StateCache, command: RemoveItem) -> Decision:
    """Removes the line."""
    stream = cart.stream(command.cart_id)
    decision = Decision(id=command.cart_id, stream=stream)
    decision.add(stream, cart.remove_item(cache.state(stream), cart_id=command.cart_id, sku=command.sku))
    return decision


HANDLERS: Handlers = {
    OpenCart: handle_open_cart,
    AddItem: handle_add_item,
    SetQuantity: handle_set_quantity,
    RemoveItem: handle_remove_item,
}
