"""The view `customer_orders`: per customer the ids of their orders, by the position of placing."""

from __future__ import annotations

from aggregates.orders.events import OrderPlaced
from event_store.records import RecordedEvent
from projections.views.view import EntriesView, Entry


def entry(event: OrderPlaced, recorded: RecordedEvent) -> Entry | None:
    """The order in its customer's list; a guest has none."""
    if event.customer_id is None:
        return None
    return Entry(event.customer_id, event.order_id, recorded.position)


VIEW = EntriesView(name="customer_orders", model=1, events=frozenset({OrderPlaced}), entry=entry)
