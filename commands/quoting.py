"""What a product costs in a cart: the choice among its prices, and for how long it holds."""

from __future__ import annotations

from aggregates.cart.cart import Cart
from aggregates.cart.events import TakenPrice
from aggregates.pricing.offer import Offer


def price_for(cart: Cart, offer: Offer | None, quantity: int) -> TakenPrice | None:
    """The price that `quantity` units have in this cart today; None where there is none."""
    if offer is None:
        return None
    for price in offer.prices:
        if price.price_list.currency == cart.currency and price.tiers[0][0] <= quantity:
            return TakenPrice(list_id=price.price_list.list_id, currency=cart.currency, tiers=price.tiers)
    return None
