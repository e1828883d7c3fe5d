"""The view `cart`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args

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
from aggregates.kernel import UnitPrice
from event_store.records import RecordedEvent
from projections.documents.shapes import CartDocument, CartLine, Money
from projections.views.amounts import line_total, unit_price
from projections.views.view import DocumentView


def facts(event: CartEvent) -> Sequence[tuple[str, CartEvent]]:
    """The event, for its cart."""
    return ((event.cart_id, event),)


def evolve(
    key: str, document: CartDocument | None, event: CartEvent, recorded: RecordedEvent
) -> CartDocument:
    """The cart after the event."""
    cart = document or CartDocument(
        id=key, status="open", currency="", version=0, lines=[], total=Money(0, ""), position=0
    )
    match event:
        case CartOpened(currency=currency, customer_id=customer_id):
            cart.currency = currency
            cart.customer_id = customer_id
        case ItemAdded(line_id=line_id, sku=sku, title=title, quantity=quantity, price=price):
            shown = unit_price(UnitPrice(price.tiers[0][1], price.currency))
            cart.lines.append(CartLine(line_id, sku, title, quantity, shown, line_total(shown, quantity)))
        case QuantityChanged(line_id=line_id, quantity=quantity):
            line = next(line for line in cart.lines if line.line_id == line_id)
            line.quantity = quantity
            line.line_total = line_total(line.unit_price, quantity)
        case ItemRemoved(line_id=line_id):
            cart.lines = [line for line in cart.lines if line.line_id != line_id]
        case CartCheckedOut(order_id=order_id):
            cart.status = "checked_out"
            cart.order_id = order_id
        case (
            PricesRequoted()
            | CouponEntered()
            | CouponRemoved()
            | DeliveryChosen()
            | GiftDeclined()
            | GiftChosen()
            | TaxQuoted()
            | ShippingQuoted()
            | CartPriced()
        ):
            pass
        case _:
            assert_never(event)
    cart.total = Money(sum(line.line_total.amount for line in cart.lines), cart.currency)
    cart.version = recorded.version
    return cart


VIEW = DocumentView(
    name="cart",
    model=2,
    shape=CartDocument,
    events=frozenset(get_args(CartEvent)),
    facts=facts,
    evolve=evolve,
)
