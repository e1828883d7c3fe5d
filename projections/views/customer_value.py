"""The view `customer_value`: what one customer bought; one document per customer id, guests have none.

Events: orders placed and canceled, credit notes; amounts in minor units by currency, as the view `sales` has
them: canceled orders are out, of one that was canceled after a refund what was credited stays. Days are UTC,
valid time. `days` counts the orders that stand, so that the first and the last are right again where one of
them is canceled. A customer's id is opaque and the document holds nothing else of theirs. As stale as the
projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.orders.events import CreditNoteIssued, OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import CustomerSums, CustomerValueDocument
from projections.views.sales import SalesEvent
from projections.views.view import DocumentView


def facts(event: SalesEvent, recorded: RecordedEvent) -> Sequence[tuple[str, SalesEvent]]:
    """The event, for its customer."""
    return () if event.customer_id is None else ((event.customer_id, event),)


def evolve(
    key: str, document: CustomerValueDocument | None, event: SalesEvent, recorded: RecordedEvent
) -> CustomerValueDocument:
    """The customer's sums after the event."""
    document = document or CustomerValueDocument(customer_id=key, position=recorded.position)
    sums = _sums(document, event.currency)
    match event:
        case OrderPlaced(placed_on=placed_on):
            _count(document, placed_on.isoformat(), 1)
            sums.orders += 1
            sums.gross += event.total.amount
        case OrderCanceled(placed_on=placed_on):
            _count(document, placed_on.isoformat(), -1)
            sums.orders -= 1
            sums.gross -= event.total.amount - event.credited.amount
        case CreditNoteIssued(amount=amount):
            sums.returns += amount.amount
    sums.net = sums.gross - sums.returns
    return document


def _count(document: CustomerValueDocument, day: str, times: int) -> None:
    """So many orders more stand that were placed on the day."""
    document.orders += times
    left = document.days.pop(day, 0) + times
    if left:
        document.days[day] = left
    document.first_order_on = min(document.days, default=None)
    document.last_order_on = max(document.days, default=None)


def _sums(document: CustomerValueDocument, currency: str) -> CustomerSums:
    for sums in document.sums:
        if sums.currency == currency:
            return sums
    sums = CustomerSums(currency)
    document.sums.append(sums)
    document.sums.sort(key=lambda each: each.currency)
    return sums


VIEW = DocumentView(
    name="customer_value",
    model=1,
    shape=CustomerValueDocument,
    events=frozenset({OrderPlaced, OrderCanceled, CreditNoteIssued}),
    facts=facts,
    evolve=evolve,
)
