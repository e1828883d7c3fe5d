"""The lines of a cart: what is put in, how many of it, and at which price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from aggregates.cart.cart import Cart, CartLine, currencies, require_open
from aggregates.cart.events import (
    CartEvent,
    ItemAdded,
    ItemRemoved,
    PricesRequoted,
    QuantityChanged,
    RequotedLine,
    TakenPrice,
)
from aggregates.kernel import (
    CartId,
    PriceMissing,
    ProductNotOnSale,
    Reason,
    Rejected,
    Sku,
    UnknownProduct,
    WrongCurrency,
)
from aggregates.pricing.offer import Offer
from aggregates.pricing.selecting import reaches


@dataclass(frozen=True, slots=True)
class CartFull(Reason):
    """The cart has as many lines as a cart can have"""

    cart_id: CartId
    lines_max: int


@dataclass(frozen=True, slots=True)
class QuantityOverLimit(Reason):
    """More units than one line can hold"""

    sku: Sku
    asked: int
    limit: int


@dataclass(frozen=True, slots=True)
class PricesChanged(Reason):
    """The prices of these lines were held no longer, and have risen

    `lines`: each with `line_id`, `sku`, and the unit price `from` which `to` which it rose, in minor units.
    """

    lines: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`quantity_max` bounds each line, `lines_max` their number."""

    lines_max: int
    quantity_max: int


def add_item(
    cart: Cart,
    *,
    cart_id: CartId,
    sku: Sku,
    quantity: int,
    offer: Offer | None,
    price: TakenPrice | None,
    locked_until: datetime | None,
    limits: Limits,
) -> tuple[CartEvent, ...]:
    """Puts `quantity` more units in; a SKU that is there keeps its line, its title and its price.

    `offer` is the catalog's of the SKU, None where it has none; `price` what it costs in this cart today,
    None where nothing. Stock is not looked at: checkout reserves.
    """
    require_open(cart, cart_id)
    offer, price = _for_sale(cart, sku, offer, price)
    line = cart.lines.get(sku)
    if line is not None:
        return _to_quantity(line, cart_id, line.quantity + quantity, limits)
    if len(cart.lines) >= limits.lines_max:
        raise Rejected(CartFull(cart_id=cart_id, lines_max=limits.lines_max))
    if quantity > limits.quantity_max:
        raise Rejected(QuantityOverLimit(sku=sku, asked=quantity, limit=limits.quantity_max))
    return (
        ItemAdded(
            cart_id=cart_id,
            line_id=str(cart.last_line + 1),
            sku=sku,
            title=offer.title,
            quantity=quantity,
            price=price,
            traits=offer.traits,
            seller=offer.seller,
            locked_until=locked_until,
        ),
    )


def set_quantity(
    cart: Cart,
    *,
    cart_id: CartId,
    sku: Sku,
    quantity: int,
    offer: Offer | None,
    price: TakenPrice | None,
    locked_until: datetime | None,
    limits: Limits,
) -> tuple[CartEvent, ...]:
    """Makes the SKU's line hold exactly `quantity` units; 0 removes it, a SKU that is not there is added.

    A line of what is no longer sold, or has no price in this cart any more, may shrink or go, nothing else.
    Below all tiers of its price it has today's price for so few units, and goes where there is none.
    """
    if quantity == 0:
        return remove_item(cart, cart_id=cart_id, sku=sku)
    line = cart.lines.get(sku)
    if line is None:
        return add_item(
            cart,
            cart_id=cart_id,
            sku=sku,
            quantity=quantity,
            offer=offer,
            price=price,
            locked_until=locked_until,
            limits=limits,
        )
    require_open(cart, cart_id)
    if quantity > line.quantity:
        _for_sale(cart, sku, offer, price)
    changed = _to_quantity(line, cart_id, quantity, limits)
    if not changed or reaches(line.price.tiers, quantity):
        return changed
    offer, price = _for_sale(cart, sku, offer, price)
    anew = RequotedLine(
        line_id=line.line_id,
        sku=sku,
        before=line.unit_price.exact,
        price=price,
        traits=offer.traits,
        seller=offer.seller,
        locked_until=locked_until,
    )
    return (*changed, PricesRequoted(cart_id=cart_id, lines=(anew,), cause="quote"))


def remove_item(cart: Cart, *, cart_id: CartId, sku: Sku) -> tuple[CartEvent, ...]:
    """Takes the SKU's line out; what is not there needs no removing."""
    require_open(cart, cart_id)
    line = cart.lines.get(sku)
    if line is None:
        return ()
    return (ItemRemoved(cart_id=cart_id, line_id=line.line_id, sku=sku),)


def requote(
    cart: Cart, *, cart_id: CartId, lines: tuple[RequotedLine, ...], cause: Literal["quote", "checkout"]
) -> tuple[CartEvent, ...]:
    """Gives lines the prices of this moment. Because the shopper asked: whatever they are; at checkout:
    none dearer."""
    require_open(cart, cart_id)
    if cause == "checkout":
        dearer = []
        for new in lines:
            line = cart.lines[new.sku]
            after = replace(line, price=new.price)
            if after.unit_price.exact > line.unit_price.exact:
                dearer.append(
                    {
                        "line_id": new.line_id,
                        "sku": new.sku,
                        "from": line.unit_price.times(1).amount,
                        "to": after.unit_price.times(1).amount,
                    }
                )
        if dearer:
            raise Rejected(PricesChanged(tuple(dearer)))
    return (PricesRequoted(cart_id=cart_id, lines=lines, cause=cause),) if lines else ()


def _for_sale(
    cart: Cart, sku: Sku, offer: Offer | None, price: TakenPrice | None
) -> tuple[Offer, TakenPrice]:
    """What is offered today; refuses what this cart cannot buy more of."""
    if offer is None:
        raise Rejected(UnknownProduct(sku))
    if not offer.on_sale:
        raise Rejected(ProductNotOnSale(sku))
    if price is None:
        sold_in = currencies(offer)
        if sold_in and cart.currency not in sold_in:
            raise Rejected(WrongCurrency(asked=sold_in[0], expected=cart.currency))
        raise Rejected(PriceMissing(sku=sku, currency=cart.currency, market=cart.market))
    return offer, price


def _to_quantity(line: CartLine, cart_id: CartId, quantity: int, limits: Limits) -> tuple[CartEvent, ...]:
    if quantity > limits.quantity_max:
        raise Rejected(QuantityOverLimit(sku=line.sku, asked=quantity, limit=limits.quantity_max))
    if quantity == line.quantity:
        return ()
    return (QuantityChanged(cart_id=cart_id, line_id=line.line_id, sku=line.sku, quantity=quantity),)
