"""What happened to a cart, in words that a shop's auditor reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from aggregates.cart.events import (
    CartCheckedOut,
    CartEvent,
    CartOpened,
    CartPriced,
    CouponEntered,
    CouponRemoved,
    DeliveryChosen,
    GiftChosen,
    GiftDeclined,
    ItemAdded,
    ItemRemoved,
    PricesRequoted,
    QuantityChanged,
    ShippingQuoted,
    TaxQuoted,
)
from aggregates.kernel import Money, Sku, UnitPrice
from replays.order.words import money_in_words, price_in_words, units


def cart_sentence(  # noqa: PLR0911, PLR0912 - one per event
    event: CartEvent, titles: Mapping[Sku, str], currency: str
) -> str:
    """One sentence; what it says of a product bears its title. `currency`: the cart's."""
    match event:
        case CartOpened(currency=currency, customer_id=customer):
            return f"A cart was opened in {currency}" + (f" for customer {customer}." if customer else ".")
        case ItemAdded(sku=sku, quantity=quantity, price=price, gift_of=gift_of):
            each = price_in_words(UnitPrice(price.tiers[0][1], price.currency))
            words = f"{units(quantity)} of {named(sku, titles)} put in, at {each} each"
            return words + (f", a gift of {gift_of}." if gift_of else ".")
        case QuantityChanged(sku=sku, quantity=quantity):
            return f"{named(sku, titles)} changed to {units(quantity)}."
        case ItemRemoved(sku=sku):
            return f"{named(sku, titles)} taken out."
        case PricesRequoted(lines=lines, cause=cause):
            changed = ", ".join(named(line.sku, titles) for line in lines)
            why = "the shopper asked" if cause == "quote" else "their prices were held no longer"
            return f"Prices were quoted anew, as {why}: {changed}."
        case CouponEntered(code=code, promotion_id=promotion_id):
            return f"The coupon {code} was entered, of the promotion {promotion_id}."
        case CouponRemoved(code=code):
            return f"The coupon {code} was taken out."
        case DeliveryChosen(country=country, region=region, method_id=method_id):
            place = f"{country} ({region})" if region else country
            return f"To be sent to {place}" + (f" by {method_id}." if method_id else ".")
        case GiftDeclined(promotion_id=promotion_id):
            return f"The gift of {promotion_id} was declined."
        case GiftChosen(promotion_id=promotion_id, sku=sku):
            return f"{named(sku, titles)} was chosen as the gift of {promotion_id}."
        case TaxQuoted(provider=provider, reference=reference):
            return f"{provider} said what tax is due ({reference})."
        case ShippingQuoted(provider=provider, reference=reference):
            return f"{provider} said what shipping costs ({reference})."
        case CartPriced(terms=terms, total=total):
            rules = f"by version {terms} of the rules" if terms else "as the sum of its lines"
            return f"The cart was priced {rules}: {money_in_words(Money(total, currency))} in all."
        case CartCheckedOut(order_id=order_id):
            return f"The cart was checked out and became order {order_id}."
        case _:
            assert_never(event)


def named(sku: Sku, titles: Mapping[Sku, str]) -> str:
    """The product's title and SKU; the SKU alone where its title is not known."""
    return f"{titles[sku]} ({sku})" if sku in titles else sku
