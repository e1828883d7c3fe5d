"""Events of a small shop, each with what its test does not care about filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from aggregates.cart import cart
from aggregates.cart.events import CartOpened, ItemAdded, TakenPrice
from aggregates.cart.items import Limits
from aggregates.catalog import product
from aggregates.catalog.events import PriceChanged, ProductListed
from aggregates.credit import account
from aggregates.customers import customer, shopper
from aggregates.customers.events import ShopperEvent
from aggregates.event_types import EVENT_TYPES
from aggregates.inventory import stock
from aggregates.inventory.events import StockReceived
from aggregates.kernel import MAIN, Money, StreamKind, UnitPrice
from aggregates.orders import cancellation, credit_note, order
from aggregates.orders.events import Address, CreditNoteIssued, OrderCanceled, OrderLine, OrderPlaced
from aggregates.payments import gateway, payment, process
from aggregates.payments.events import (
    BalanceReconciled,
    GatewayNewsFetched,
    GatewayNewsParked,
    GatewayNewsReceived,
    GatewayPaymentForeign,
    GatewayPaymentLinked,
    ProcessEvent,
)
from aggregates.pricing.context import Traits
from aggregates.pricing.rules import BASE, PriceList
from aggregates.promotions import batch, coupon, uses
from aggregates.promotions.events import BatchEvent, CouponEvent, UseEvent
from aggregates.terms.events import TermsEvent
from aggregates.terms.terms import MAIN_TERMS
from aggregates.visits import visit
from aggregates.visits.events import ProductViewed
from event_store.codec import Codec
from event_store.records import RecordedEvent

CODEC = Codec(EVENT_TYPES)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(lines_max=10, quantity_max=99)
LOCKED_UNTIL = datetime(2030, 1, 1, tzinfo=UTC)
ADDING: Mapping[str, Any] = {"limits": LIMITS, "at": NOON, "locked_until": LOCKED_UNTIL}
"""What a command that adds an item has beside the item."""
PLACING: Mapping[str, Any] = {"at": NOON, "locked_until": LOCKED_UNTIL, "shopper": "m-anna"}
"""What a command that places an order has beside what it is about."""
DAY = NOON.date()
CART = "c" * 32
VISIT = "v" * 32
EMAIL = "anna@example.org"
ADDRESS = Address(name="Anna", line1="1 High St", city="Leeds", postal_code="LS1", country="GB")

_NAMES = {event_type.cls: event_type.name for event_type in EVENT_TYPES}
_STREAMS: dict[str, tuple[StreamKind, str]] = {
    "catalog": (product.stream, "sku"),
    "inventory": (stock.stream, "sku"),
    "cart": (cart.stream, "cart_id"),
    "orders": (order.stream, "order_id"),
    "credit_note": (credit_note.stream, "credit_note_id"),
    "payments": (payment.stream, "order_id"),
    "process": (process.stream, "order_id"),
    "steps": (process.stream, "order_id"),
    "coupon": (coupon.stream, "code"),
    "uses": (uses.stream, "promotion_id"),
    "batch": (batch.stream, "batch_id"),
    "shopper": (shopper.stream, "shopper"),
    "customers": (customer.stream, "customer_id"),
    "credit": (account.stream, "account_id"),
    "gateway_event": (gateway.event_stream, "event_id"),
    "gateway_payment": (gateway.payment_stream, "gateway_reference"),
    "gateway_news": (gateway.news_stream, "gateway"),
    "visits": (visit.stream, "visit_id"),
    "reconciliation": (gateway.reconciliation_stream, "gateway"),
}
"""By context, or by module where a context has several: the kind of stream, and the field that names one."""


def stream_of(event: Any) -> str:
    """The name of the event's stream; only those that give out a number do not tell."""
    match event:
        case CreditNoteIssued():
            context = "credit_note"
        case GatewayNewsReceived():
            context = "gateway_event"
        case GatewayPaymentLinked() | GatewayNewsParked() | GatewayPaymentForeign():
            context = "gateway_payment"
        case GatewayNewsFetched():
            context = "gateway_news"
        case BalanceReconciled():
            context = "reconciliation"
        case _ if isinstance(event, ProcessEvent):
            context = "process"
        case _ if isinstance(event, CouponEvent):
            context = "coupon"
        case _ if isinstance(event, UseEvent):
            context = "uses"
        case _ if isinstance(event, BatchEvent):
            context = "batch"
        case _ if isinstance(event, ShopperEvent):
            context = "shopper"
        case _ if isinstance(event, TermsEvent):
            return MAIN_TERMS
        case _:
            context = type(event).__module__.split(".")[1]
    kind, field = _STREAMS[context]
    return kind(getattr(event, field))


def stream_decided(decision: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """The name of the stream on whose state a decision with these arguments is made."""
    _, context, module, *_ = decision.__module__.split(".")
    kind, field = _STREAMS.get(module) or _STREAMS[context]
    return kind(arguments[field])


def recorded(position: int, event: Any = None, *, version: int = 1) -> RecordedEvent:
    """The envelope of an event at this position; without one, of a stream and type that nobody knows."""
    return RecordedEvent(
        position=position,
        stream="stream" if event is None else stream_of(event),
        version=version,
        type=_NAMES.get(type(event), "context.name"),
        schema_number=1,
        data=b"{}",
        command_id=UUID(int=position),
        correlation=None,
        causation=None,
        actor="system:test",
        recorded_at=NOON,
        valid_at=NOON,
    )


def listed(
    sku: str,
    title: str | None = None,
    *,
    price: str = "12.99",
    currency: str = "GBP",
    category: str = "Kitchen > Mugs",
    description: str = "",
    **attributes: str,
) -> ProductListed:
    """A product goes on sale; by default its price is in pounds, and its title has its SKU."""
    title = title or f"Mug {sku}"
    return ProductListed(
        sku=sku,
        title=title,
        description=description,
        category=category,
        attributes=attributes,
        price=UnitPrice(Decimal(price), currency),
        seller="house",
    )


def priced(sku: str, price: str, currency: str = "GBP") -> PriceChanged:
    """The product's own price changes."""
    own = PriceList(list_id=BASE, currency=currency)
    return PriceChanged(sku=sku, list=own, currency=currency, tiers=((1, Decimal(price)),))


def received(sku: str, quantity: int) -> StockReceived:
    """Units arrive."""
    return StockReceived(sku=sku, location=MAIN, quantity=quantity, reason="delivery")


def opened(cart_id: str = CART) -> CartOpened:
    """A cart is taken."""
    return CartOpened(cart_id=cart_id, currency="GBP")


def added(sku: str, quantity: int, cart_id: str = CART) -> ItemAdded:
    """Units of a product at 12.99 are put into the cart."""
    return ItemAdded(
        cart_id=cart_id,
        line_id="1",
        sku=sku,
        title=f"Mug {sku}",
        quantity=quantity,
        price=TakenPrice(list_id=BASE, currency="GBP", tiers=((1, Decimal("12.99")),)),
        traits=Traits(category="Kitchen > Mugs", seller="house"),
        seller="house",
    )


def viewed(sku: str, number: int = 1, visit_id: str = VISIT) -> ProductViewed:
    """A product is looked at."""
    return ProductViewed(visit_id=visit_id, sku=sku, number=number)


def placed_together(order_id: str, *skus: str) -> OrderPlaced:
    """An order of a line of one unit for each of these."""
    lines = [replace(placed(order_id, sku).lines[0], line_id=str(n)) for n, sku in enumerate(skus, start=1)]
    return replace(placed(order_id, skus[0]), lines=tuple(lines), total=Money(1_000 * len(skus), "GBP"))


def given_up(one: OrderPlaced) -> OrderCanceled:
    """That order is canceled."""
    (event,) = cancellation.cancel(
        order.evolve(order.initial(), one), order_id=one.order_id, cause="canceled"
    )
    assert isinstance(event, OrderCanceled)
    return event


def placed(
    order_id: str,
    sku: str,
    quantity: int = 1,
    *,
    currency: str = "GBP",
    placed_on: date = DAY,
    **facts: Any,
) -> OrderPlaced:
    """An order of one line at 10.00 a unit."""
    total = Money(1_000 * quantity, currency)
    line = OrderLine(
        line_id="1",
        sku=sku,
        title=f"Mug {sku}",
        seller="house",
        quantity=quantity,
        unit_price=UnitPrice.of(Money(1_000, currency)),
        line_total=total,
        discount=Money(0, currency),
        tax=Money(0, currency),
        paid=total,
    )
    return OrderPlaced(
        order_id=order_id,
        number=f"N-{order_id}",
        channel="web",
        currency=currency,
        lines=(line,),
        charges=(),
        total=total,
        rounding="line_half_even",
        placed_on=placed_on,
        **facts,
    )
