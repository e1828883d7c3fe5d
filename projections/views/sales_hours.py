"""The view `sales_hours`: one document per UTC day of sales, a row per hour of the shop's clocks and
currency; ranking `days`.

Figures as in the view `sales`, day by day the same sums. An order counts in the hour in which it was placed,
also where it is canceled; a credit note in the hour of its own valid time; each on the day that its event
names, at the end of it that is nearer where a clock said otherwise. The time zone is a part of the read
model: another one, or other rules of it, is built anew. Events: orders placed and canceled, credit notes.
Amounts are minor units. As stale as the projector is behind.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import partial

from aggregates.orders.events import CreditNoteIssued, OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import SalesHour, SalesHoursDocument
from projections.views import sales
from projections.views.sales import SalesEvent
from projections.views.time_zone import TimeZone
from projections.views.view import DocumentView, Ranking

MODEL = 1
"""The number of this read model, whatever the time zone."""


def evolve(
    time_zone: TimeZone,
    key: str,
    document: SalesHoursDocument | None,
    event: SalesEvent,
    recorded: RecordedEvent,
) -> SalesHoursDocument:
    """The day's hours after the event."""
    document = document or SalesHoursDocument(date=key, rows=[], position=recorded.position)
    moment = _on(date.fromisoformat(key), _moment(document, event, recorded))
    row = _row(document, time_zone, moment, event.currency)
    if isinstance(event, OrderPlaced) and event.placed_at is None:
        document.placed_at[event.order_id] = moment
    sales.count(row, event)
    return document


def _moment(document: SalesHoursDocument, event: SalesEvent, recorded: RecordedEvent) -> datetime:
    """When the sale was that the event adds or takes back; of a credit note, when it was issued."""
    match event:
        case CreditNoteIssued():
            return recorded.valid_at
        case OrderPlaced(placed_at=placed_at):
            return placed_at or recorded.valid_at
        case OrderCanceled(order_id=order_id, placed_at=placed_at, placed_on=placed_on):
            first = datetime.combine(placed_on, time(), UTC)  # for an order that nobody placed
            return placed_at or document.placed_at.pop(order_id, first)


def _on(day: date, moment: datetime) -> datetime:
    """The moment, or the end of the UTC day that is nearest to it."""
    return min(max(moment, datetime.combine(day, time.min, UTC)), datetime.combine(day, time.max, UTC))


def _row(document: SalesHoursDocument, time_zone: TimeZone, moment: datetime, currency: str) -> SalesHour:
    starts_at, local = time_zone.hour_of(moment)
    for row in reversed(document.rows):  # Most events are of the newest hour.
        if row.starts_at == starts_at and row.currency == currency:
            return row
    row = SalesHour(starts_at, local, currency, orders=0, units=0, gross=0, returns=0, net=0)
    document.rows.append(row)
    document.rows.sort(key=lambda each: (each.starts_at, each.currency))
    return row


def day_number(document: SalesHoursDocument) -> int:
    """2010-12-01 is 20101201."""
    return int(document.date.replace("-", ""))


def view(time_zone: TimeZone) -> DocumentView[SalesHoursDocument]:
    """The view of a shop in this time zone."""
    return DocumentView(
        name="sales_hours",
        model=MODEL + (time_zone.fingerprint << 16),
        shape=SalesHoursDocument,
        events=sales.VIEW.events,
        facts=sales.facts,
        evolve=partial(evolve, time_zone),
        ranking=Ranking(sales.DAYS, day_number),
    )
