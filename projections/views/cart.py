"""The view `cart`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args

from aggregates import kernel
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
    TakenPrice,
    TaxQuoted,
)
from aggregates.pricing.selecting import unit_price as price_of
from event_store.records import RecordedEvent
from projections.documents.shapes import (
    CartDocument,
    CartLine,
    Coupon,
    Delivery,
    Money,
    QuoteDocument,
    Tier,
    UnitPrice,
)
from projections.views.amounts import line_total, unit_price
from projections.views.pricing import charges_of, notices_of, shipping_of, taxes_of
from projections.views.view import DocumentView


def facts(event: CartEvent, recorded: RecordedEvent) -> Sequence[tuple[str, CartEvent]]:
    """The event, for its cart."""
    return ((event.cart_id, event),)


def evolve(  # noqa: PLR0912 - a case per event
    key: str, document: CartDocument | None, event: CartEvent, recorded: RecordedEvent
) -> CartDocument:
    """The cart after the event."""
    cart = document or CartDocument(
        id=key, status="open", currency="", version=0, lines=[], total=Money(0, ""), position=0
    )
    match event:
        case CartOpened(currency=currency, customer_id=customer_id, market=market):
            cart.currency = currency
            cart.customer_id = customer_id
            cart.market = market
        case ItemAdded():
            cart.lines.append(_line(event))
        case QuantityChanged(line_id=line_id, quantity=quantity):
            line = _line_of(cart, line_id)
            line.quantity = quantity
            line.unit_price = _tier_price(line)
            _plain(line)
        case ItemRemoved(line_id=line_id):
            cart.lines = [line for line in cart.lines if line.line_id != line_id]
        case PricesRequoted(lines=lines):
            for new in lines:
                line = _line_of(cart, new.line_id)
                _take(line, new.price)
                line.locked_until = new.locked_until
                if cart.quote is None:  # Else what rules make of it is the same, or follows.
                    _plain(line)
        case CouponEntered(code=code, promotion_id=promotion_id):
            cart.coupons.append(Coupon(code, promotion_id))
        case CouponRemoved(code=code):
            cart.coupons = [coupon for coupon in cart.coupons if coupon.code != code]
        case DeliveryChosen():
            cart.delivery = Delivery(
                event.country, event.region, event.postal_prefix, event.method_id, event.pickup_point
            )
        case CartPriced():
            _price(cart, event)
        case GiftDeclined() | GiftChosen() | TaxQuoted() | ShippingQuoted():
            pass  # what follows from it is priced
        case CartCheckedOut(order_id=order_id):
            cart.status = "checked_out"
            cart.order_id = order_id
        case _:
            assert_never(event)
    if cart.quote is None:
        cart.total = Money(sum(line.line_total.amount for line in cart.lines), cart.currency)
    cart.version = recorded.version
    return cart


def _line(event: ItemAdded) -> CartLine:
    nothing = Money(0, event.price.currency)
    line = CartLine(
        line_id=event.line_id,
        sku=event.sku,
        title=event.title,
        quantity=event.quantity,
        unit_price=UnitPrice(0, event.price.currency),
        line_total=nothing,
        discount=nothing,
        net=nothing,
        list_id=event.price.list_id,
        gift_of=event.gift_of,
        locked_until=event.locked_until,
    )
    _take(line, event.price)
    _plain(line)
    return line


def _line_of(cart: CartDocument, line_id: str) -> CartLine:
    return next(line for line in cart.lines if line.line_id == line_id)


def _take(line: CartLine, price: TakenPrice) -> None:
    """Gives the line the price."""
    line.list_id = price.list_id
    line.was = None if price.was is None else unit_price(kernel.UnitPrice(price.was, price.currency))
    tiers = [
        Tier(quantity, unit_price(kernel.UnitPrice(exact, price.currency))) for quantity, exact in price.tiers
    ]
    line.tiers = tiers if len(tiers) > 1 else []
    exact = price_of(price.tiers, max(line.quantity, price.tiers[0][0]))
    line.unit_price = unit_price(kernel.UnitPrice(exact, price.currency))


def _tier_price(line: CartLine) -> UnitPrice:
    """The unit price that its quantity has."""
    price = line.unit_price if not line.tiers else line.tiers[0].unit_price
    for tier in line.tiers:
        if tier.quantity > line.quantity:
            break
        price = tier.unit_price
    return price


def _plain(line: CartLine) -> None:
    """The line at its price, before rules have a part in it."""
    line.line_total = line.net = line_total(line.unit_price, line.quantity)
    line.discount = Money(0, line.unit_price.currency)
    line.tax = line.tax_group = None


def _price(cart: CartDocument, event: CartPriced) -> None:
    """Every amount as the rules made it; of version 0, where none has a part any more, the plain sum."""
    currency = cart.currency
    priced = {line.line_id: line for line in event.lines}
    for line in cart.lines:
        new = priced.get(line.line_id)
        if new is None:
            _plain(line)
            continue
        line.line_total = Money(new.line_total, currency)
        line.discount = Money(new.discount, currency)
        line.net = Money(new.net, currency)
        line.tax = None if new.tax_group is None else Money(new.tax, currency)
        line.tax_group = new.tax_group
    cart.charges = charges_of(event.charges, currency)
    cart.taxes = taxes_of(event.taxes, currency)
    cart.shipping = shipping_of(event.shipping, currency)
    cart.notices = notices_of(event.notices, currency)
    cart.total = Money(event.total, currency)
    cart.quote = QuoteDocument(event.terms, event.expires_at) if event.terms else None


VIEW = DocumentView(
    name="cart",
    model=4,
    shape=CartDocument,
    events=frozenset(get_args(CartEvent)),
    facts=facts,
    evolve=evolve,
)
