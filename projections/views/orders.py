"""The view `order`: one order with its payment and everything that happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never, get_args

from aggregates.kernel import Money as Amount
from aggregates.orders import events as order_events
from aggregates.orders.events import (
    LinesFulfilled,
    LinesReturned,
    OrderCanceled,
    OrderConfirmed,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
    withdrawn_by,
)
from aggregates.payments.events import PaymentEvent
from event_store.records import RecordedEvent
from projections.documents.shapes import (
    Charge,
    Fulfilment,
    LineQuantity,
    Money,
    OrderDocument,
    OrderLine,
    Payment,
    Refund,
    Return,
    TimelineEntry,
)
from projections.views import payments
from projections.views.amounts import money, unit_price
from projections.views.pricing import shipping_of, taxes_of, tenders_of
from projections.views.view import DocumentView

UNKNOWN = "unknown"
"""The status while only the payment was heard of: readers answer that there is no such order."""

_ORDER_EVENTS = frozenset(get_args(OrderEvent))


def facts(
    event: OrderEvent | PaymentEvent, recorded: RecordedEvent
) -> Sequence[tuple[str, OrderEvent | PaymentEvent]]:
    """The event, for its order."""
    return ((event.order_id, event),)


def evolve(
    key: str, document: OrderDocument | None, event: OrderEvent | PaymentEvent, recorded: RecordedEvent
) -> OrderDocument:
    """The order after the event."""
    order = document or _unknown(key, recorded)
    order.timeline.append(TimelineEntry(recorded.position, recorded.valid_at, recorded.type))
    if isinstance(event, PaymentEvent):
        payments.evolve(order.payment, event)
    else:
        _evolve_order(order, event, recorded)
        order.version = recorded.version
    return order


def _evolve_order(order: OrderDocument, event: OrderEvent, recorded: RecordedEvent) -> None:
    match event:
        case OrderPlaced():
            _place(order, event, recorded)
        case OrderConfirmed():
            if order.status == "placed":
                order.status = "confirmed"
        case OrderCanceled(cause=cause):
            order.status = "canceled"
            order.cancel_reason = cause
        case LinesFulfilled(fulfilment_id=fulfilment_id, lines=lines):
            order.fulfilments.append(Fulfilment(fulfilment_id, recorded.valid_at, _quantities(lines)))
            by_id = {line.line_id: line for line in order.lines}
            for part in lines:
                line = by_id[part.line_id]
                line.fulfilled += part.quantity
                line.withdrawn += min(0, _unsent(line))
            _find_status(order)
        case LinesReturned(return_id=return_id, lines=lines, restock=restock):
            order.returns.append(Return(return_id, recorded.valid_at, _quantities(lines), restock=restock))
            by_id = {line.line_id: line for line in order.lines}
            for part in lines:
                by_id[part.line_id].returned += part.quantity
            _find_status(order)
        case OrderRefunded(lines=refunded):
            order.refunds.append(_refund(event, recorded))
            by_id = {line.line_id: line for line in order.lines}
            for refund in refunded:
                line = by_id[refund.line_id]
                line.withdrawn += withdrawn_by(
                    refund,
                    unsent=_unsent(line),
                    unrefunded_returns=line.returned - (line.refunded - line.withdrawn),
                )
                line.refunded += refund.quantity
            _find_status(order)
        case _:
            assert_never(event)


def _refund(event: OrderRefunded, recorded: RecordedEvent) -> Refund:
    parts = [part.tax for part in event.lines] + [charge.tax for charge in event.charges or ()]
    known = [tax for tax in parts if tax is not None]
    return Refund(
        event.credit_note_id,
        recorded.valid_at,
        money(event.amount),
        tax=money(Amount.sum(known, event.amount.currency)) if len(known) == len(parts) else None,
        tenders=None if event.tenders is None else tenders_of(event.tenders),
    )


def _unsent(line: OrderLine) -> int:
    return line.quantity - line.fulfilled - line.withdrawn


def _find_status(order: OrderDocument) -> None:
    if order.status == "canceled":
        return
    units = sum(line.quantity - line.withdrawn for line in order.lines)
    fulfilled = sum(line.fulfilled for line in order.lines)
    returned = sum(line.returned for line in order.lines)
    if returned:
        order.status = "returned" if returned == units else "partially_returned"
    elif fulfilled:
        order.status = "fulfilled" if fulfilled == units else "partially_fulfilled"


def _place(order: OrderDocument, event: OrderPlaced, recorded: RecordedEvent) -> None:
    order.number = event.number
    order.status = "placed"
    order.currency = event.currency
    order.lines = [
        OrderLine(
            line_id=line.line_id,
            sku=line.sku,
            title=line.title,
            seller=line.seller,
            quantity=line.quantity,
            unit_price=unit_price(line.unit_price),
            line_total=money(line.line_total),
            discount=money(line.discount),
            net=Money(line.line_total.amount - line.discount.amount, event.currency),
            tax=money(line.tax),
            paid=money(line.paid),
        )
        for line in event.lines
    ]
    order.charges = [Charge(charge.kind, charge.label, money(charge.amount)) for charge in event.charges]
    order.total = money(event.total)
    order.taxes = taxes_of(event.taxes, event.currency)
    order.tenders = tenders_of(event.tenders)
    order.shipping = shipping_of(event.shipping, event.currency)
    order.channel = event.channel
    order.placed_at = recorded.valid_at
    order.customer_id = event.customer_id
    order.cart_id = event.cart_id
    order.secret_hash = event.secret_hash


def _quantities(lines: Iterable[order_events.LineQuantity]) -> list[LineQuantity]:
    return [LineQuantity(line.line_id, line.sku, line.quantity) for line in lines]


def _unknown(order_id: str, recorded: RecordedEvent) -> OrderDocument:
    return OrderDocument(
        id=order_id,
        number="",
        status=UNKNOWN,
        payment=Payment("pending"),
        currency="",
        lines=[],
        charges=[],
        total=Money(0, ""),
        fulfilments=[],
        returns=[],
        refunds=[],
        timeline=[],
        channel="",
        placed_at=recorded.valid_at,
        version=0,
        position=recorded.position,
    )


VIEW = DocumentView(
    name="order",
    model=7,
    shape=OrderDocument,
    events=_ORDER_EVENTS | frozenset(get_args(PaymentEvent)),
    facts=facts,
    evolve=evolve,
)
