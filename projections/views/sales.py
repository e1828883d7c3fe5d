"""The view `sales`: one document per day of valid time (UTC), a row per currency; ranking `days`.

gross = the sum of line totals - discounts + shipping + the tax that is on top + other charges, over the
orders placed that day and not canceled; of one that was canceled after a refund, what was credited stays.
Events: orders placed and canceled, credit notes. Amounts are minor units. As stale as
the projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from aggregates.orders.events import CreditNoteIssued, OrderCanceled, OrderPlaced, SaleParts, parts_of
from event_store.records import RecordedEvent
from projections.documents.shapes import SalesDocument, SalesRow
from projections.views.view import DocumentView, Ranking

SalesEvent = OrderPlaced | OrderCanceled | CreditNoteIssued

DAYS = "days"
"""The ranking of all days that have a document; the score is the day as a number, 20101201."""


def facts(event: SalesEvent, recorded: RecordedEvent) -> Sequence[tuple[str, SalesEvent]]:
    """The event, for the day of placing (also where the order is canceled) or of the credit note's issue."""
    if isinstance(event, CreditNoteIssued):
        return ((event.issued_on.isoformat(), event),)
    return ((event.placed_on.isoformat(), event),)


def evolve(
    key: str, document: SalesDocument | None, event: SalesEvent, recorded: RecordedEvent
) -> SalesDocument:
    """The day's books after the event."""
    document = document or SalesDocument(date=key, rows=[], position=recorded.position)
    count(_row(document, event.currency), event)
    return document


class Figures(Protocol):
    """What is counted of sales, over a day or another span: counts, and amounts in minor units."""

    orders: int
    units: int
    gross: int
    returns: int
    net: int
    discounts: int
    shipping: int
    tax: int


def count(row: Figures, event: SalesEvent) -> None:
    """Counts the event in its currency's figures, in place."""
    match event:
        case OrderPlaced(total=total, lines=lines):
            row.orders += 1
            row.units += sum(line.quantity for line in lines)
            row.gross += total.amount
            _count_parts(row, parts_of(event), 1)
        case OrderCanceled(total=total, credited=credited, lines=canceled, parts=parts):
            row.orders -= 1
            row.units -= sum(line.quantity for line in canceled)
            row.gross -= total.amount - credited.amount  # What was credited is among the returns.
            _count_parts(row, parts, -1)
        case CreditNoteIssued(amount=amount):
            row.returns += amount.amount
        case _:
            assert_never(event)
    row.net = row.gross - row.returns


def _count_parts(row: Figures, parts: SaleParts, times: int) -> None:
    row.discounts += times * parts.discounts
    row.shipping += times * parts.shipping
    row.tax += times * parts.tax


def day_number(document: SalesDocument) -> int:
    """2010-12-01 is 20101201."""
    return int(document.date.replace("-", ""))


def _row(document: SalesDocument, currency: str) -> SalesRow:
    for row in document.rows:
        if row.currency == currency:
            return row
    row = SalesRow(document.date, currency, orders=0, units=0, gross=0, returns=0, net=0)
    document.rows.append(row)
    document.rows.sort(key=lambda each: each.currency)
    return row


VIEW = DocumentView(
    name="sales",
    model=3,
    shape=SalesDocument,
    events=frozenset({OrderPlaced, OrderCanceled, CreditNoteIssued}),
    facts=facts,
    evolve=evolve,
    ranking=Ranking(DAYS, day_number),
)
