"""An order's state at a moment, by the very fold that draws up the read model: so the two can be compared."""

from __future__ import annotations

from collections.abc import Iterable

from aggregates.orders.events import OrderPlaced
from projections.documents.shapes import OrderDocument
from projections.views.orders import VIEW
from replays.order.history import HistoryEvent


def order_document(events: Iterable[HistoryEvent]) -> OrderDocument | None:
    """The order after these events, which come in position order; None where it was not placed yet."""
    document: OrderDocument | None = None
    placed = False
    for moment in events:
        if type(moment.event) not in VIEW.events:
            continue
        placed = placed or isinstance(moment.event, OrderPlaced)
        for key, fact in VIEW.facts(moment.event):
            document = VIEW.evolve(key, document, fact, moment.recorded)
            document.position = moment.recorded.position
    return document if placed else None
