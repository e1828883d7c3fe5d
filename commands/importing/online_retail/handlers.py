"""Handlers of the import's commands: the aggregates' decisions for what happened elsewhere, long ago."""

from __future__ import annotations

from collections import Counter

from aggregates.catalog import product
from aggregates.catalog.events import ProductListed
from aggregates.inventory import stock
from aggregates.inventory.stock import Stock
from aggregates.kernel import Money, Sku
from aggregates.orders import fulfilment, order
from aggregates.orders.order import Order
from aggregates.payments import payment
from commands.handlers.numbering import given_numbers, number_order, order_number_stream
from commands.importing.online_retail.credits import handle_record_cancellation
from commands.importing.online_retail.recording import (
    ListIfNew,
    ReceiveOpeningStock,
    RecordAdjustments,
    RecordCancellation,
    RecordSale,
)
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache

TOPPED_UP = "sold elsewhere; units missing from the books"


def handle_list_if_new(cache: StateCache, command: ListIfNew) -> Decision:
    """Lists the product; what an operator made of it since stays as it is."""
    stream = product.stream(command.sku)
    state = cache.state(stream)
    decision = Decision(id=command.sku, stream=stream)
    if state.facts is None:
        decision.add(
            stream,
            product.list_product(
                state,
                listed=ProductListed(
                    sku=command.sku,
                    title=command.title,
                    description=command.description,
                    category=command.category,
                    attributes=dict(command.attributes),
                    price=command.price,
                    seller=command.seller,
                    tax_category=command.tax_category,
                ),
            ),
        )
        decision.created = True
    return decision


def handle_receive_opening_stock(cache: StateCache, command: ReceiveOpeningStock) -> Decision:
    """Receives the units, once per source."""
    stream = stock.stream(command.sku)
    received = stock.receive(
        cache.state(stream),
        sku=command.sku,
        quantity=command.quantity,
        reason=command.reason,
        source=command.source,
    )
    decision = Decision(id=command.sku, stream=stream, created=bool(received))
    decision.add(stream, received)
    return decision


def handle_record_sale(cache: StateCache, command: RecordSale) -> Decision:
    """One command over the order, its payment and every stock it was sent from."""
    order_id = command.order_id
    order_stream, payment_stream = order.stream(order_id), payment.stream(order_id)
    decision = Decision(id=order_id, stream=order_stream)
    if cache.state(order_stream).placed is not None:
        return decision
    units: Counter[Sku] = Counter()
    for line in command.lines:
        units[line.sku] += line.quantity
    number_stream = order_number_stream(command.number)
    states = cache.states(
        (order_stream, payment_stream, number_stream, *(stock.stream(sku) for sku in units))
    )
    decision.created = True
    placed = order.place(
        states[order_stream],
        order_id=order_id,
        number=number_order(cache, decision, order_id, given_numbers(command.number)),
        channel="import",
        currency=command.currency,
        lines=command.lines,
        charges=command.charges,
        placed_at=command.placed_at,
        customer_id=command.customer_id,
    )
    decision.add(order_stream, placed)
    sold: Order = decision.after(order_stream, states[order_stream])
    decision.add(order_stream, order.confirm(sold, order_id=order_id))
    decision.add(
        payment_stream,
        payment.capture_elsewhere(states[payment_stream], order_id=order_id, amount=_total(sold)),
    )
    if not units:
        return decision
    sold = decision.after(order_stream, sold)
    decision.add(
        order_stream, fulfilment.fulfil(sold, order_id=order_id, fulfilment_id=command.fulfilment_id)
    )
    for sku, quantity in units.items():
        stream = stock.stream(sku)
        shelf = _with_at_least(
            decision, stream, states[stream], sku=sku, quantity=quantity, source=command.top_up_source
        )
        decision.add(stream, stock.dispatch(shelf, sku=sku, order_id=order_id, quantity=quantity))
    return decision


def handle_record_adjustments(cache: StateCache, command: RecordAdjustments) -> Decision:
    """Adjusts each stock once per source, up or down."""
    shelves: dict[str, Stock] = cache.states(stock.stream(line.sku) for line in command.corrections)
    decision = Decision(id=command.number, stream=stock.stream(command.corrections[0].sku))
    for line in command.corrections:
        stream = stock.stream(line.sku)
        shelf = decision.after(stream, shelves[stream])
        if line.source in shelf.adjusted_by:
            continue
        if line.delta < 0:
            source = f"{command.top_up_source}:{line.source.rpartition(':')[2]}"
            shelf = _with_at_least(decision, stream, shelf, sku=line.sku, quantity=-line.delta, source=source)
        adjusted = stock.adjust(shelf, sku=line.sku, delta=line.delta, reason=line.reason, source=line.source)
        decision.add(stream, adjusted)
    decision.created = bool(decision.events)
    return decision


def _with_at_least(
    decision: Decision, stream: str, shelf: Stock, *, sku: Sku, quantity: int, source: str
) -> Stock:
    """The stock with `quantity` units to take, received first where others were quicker."""
    lacking = quantity - shelf.available
    if lacking <= 0:
        return shelf
    received = stock.receive(shelf, sku=sku, quantity=lacking, reason=TOPPED_UP, source=source)
    decision.add(stream, received)
    return decision.after(stream, shelf)


def _total(sold: Order) -> Money:
    assert sold.placed is not None
    return sold.placed.total


IMPORT_HANDLERS: Handlers = {
    ListIfNew: handle_list_if_new,
    ReceiveOpeningStock: handle_receive_opening_stock,
    RecordSale: handle_record_sale,
    RecordCancellation: handle_record_cancellation,
    RecordAdjustments: handle_record_adjustments,
}
