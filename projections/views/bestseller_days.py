"""The view `bestseller_days`: units ordered of each SKU, a document per UTC day of sale; ranking `changed`.

Events: orders placed and canceled; an order that is canceled is taken out of the day on which it was placed.
A window (the newest day seen, and so many before it) is the sum of its days, added up by the reader: when the
newest day moves on, no event names the products that fall out. The ranking's score is the position of the
day's last event, so that a reader who has the days finds those that changed since. As stale as the projector
is behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.orders.events import OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import BestsellerDayDocument
from projections.views.view import DocumentView, Ranking

CHANGED = "changed"
"""The ranking of all days by the position of their last event."""

Event = OrderPlaced | OrderCanceled


def facts(event: Event, recorded: RecordedEvent) -> Sequence[tuple[str, Event]]:
    """The event, for the day of placing."""
    return ((event.placed_on.isoformat(), event),)


def evolve(
    key: str, document: BestsellerDayDocument | None, event: Event, recorded: RecordedEvent
) -> BestsellerDayDocument:
    """The day's units after the event; a SKU of which none is left is in it no more."""
    document = document or BestsellerDayDocument(date=key, units={}, position=recorded.position)
    times = 1 if isinstance(event, OrderPlaced) else -1
    units = document.units
    for line in event.lines:
        left = units.get(line.sku, 0) + times * line.quantity
        if left:
            units[line.sku] = left
        else:
            units.pop(line.sku, None)
    return document


VIEW = DocumentView(
    name="bestseller_days",
    model=1,
    shape=BestsellerDayDocument,
    events=frozenset({OrderPlaced, OrderCanceled}),
    facts=facts,
    evolve=evolve,
    ranking=Ranking(CHANGED, lambda document: document.position),
)
