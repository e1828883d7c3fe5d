"""Every kind of stream, by what its streams' names begin with."""

from __future__ import annotations

from aggregates.cart import cart
from aggregates.catalog import price_list, product
from aggregates.credit import account
from aggregates.customers import customer, shopper
from aggregates.inventory import stock
from aggregates.kernel import StreamKind
from aggregates.orders import credit_note, number, order
from aggregates.payments import gateway, payment, process
from aggregates.promotions import batch, coupon, uses
from aggregates.terms import terms
from aggregates.visits import visit
from aggregates.webhooks import endpoints

KINDS: dict[str, StreamKind] = {
    kind.name: kind
    for kind in (
        product.stream,
        price_list.stream,
        stock.stream,
        coupon.stream,
        batch.stream,
        uses.stream,
        shopper.stream,
        customer.stream,
        account.stream,
        cart.stream,
        order.stream,
        number.order_stream,
        credit_note.stream,
        number.credit_note_stream,
        payment.stream,
        process.stream,
        gateway.event_stream,
        gateway.payment_stream,
        gateway.news_stream,
        gateway.reconciliation_stream,
        terms.stream,
        visit.stream,
        endpoints.stream,
    )
}


def kind_of(stream: str) -> StreamKind:
    """The kind of a stream `<kind>-<id>`; KeyError for one no aggregate owns."""
    return KINDS[stream.partition("-")[0]]
