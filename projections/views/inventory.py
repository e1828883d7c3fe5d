"""The view `inventory`: the stock of one SKU, in units; ranking `available`. And what stock events do.

Events: all of a stock's; of a product's, that it was listed or delisted: one that is on sale and never had
any stock has none, and one that is not is in no list of what runs low. As stale as the projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args

from aggregates.catalog.events import ProductDelisted, ProductListed
from aggregates.inventory.events import (
    InventoryEvent,
    ReservationConfirmed,
    ReservationReleased,
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReserved,
    StockRestocked,
)
from event_store.records import RecordedEvent
from projections.documents.shapes import InventoryDocument
from projections.views.view import DocumentView, Ranking

AVAILABLE = "available"
"""The ranking of all SKUs but those delisted, by units available."""

Event = InventoryEvent | ProductListed | ProductDelisted

STOCK_EVENTS: frozenset[type[InventoryEvent]] = frozenset(get_args(InventoryEvent))


def moved(event: InventoryEvent) -> tuple[int, int]:
    """By how many units the event changes what is on hand, and what is reserved of it."""
    match event:
        case StockReceived(quantity=quantity) | StockRestocked(quantity=quantity):
            return quantity, 0
        case StockAdjusted(delta=delta):
            return delta, 0
        case StockReserved(quantity=quantity):
            return 0, quantity
        case ReservationConfirmed():
            return 0, 0
        case ReservationReleased(quantity=quantity):
            return 0, -quantity
        case StockDispatched(quantity=quantity, from_reservation=from_reservation):
            return -quantity, -from_reservation
        case _:
            assert_never(event)


def facts(event: Event, recorded: RecordedEvent) -> Sequence[tuple[str, Event]]:
    """The event, for its SKU."""
    return ((event.sku, event),)


def evolve(
    key: str, document: InventoryDocument | None, event: Event, recorded: RecordedEvent
) -> InventoryDocument:
    """The stock after the event."""
    if document is None:
        document = InventoryDocument(
            sku=key, on_hand=0, reserved=0, available=0, locations={}, position=recorded.position
        )
    if isinstance(event, ProductListed | ProductDelisted):
        document.delisted = isinstance(event, ProductDelisted)
        return document
    on_hand, reserved = moved(event)
    document.on_hand += on_hand
    document.reserved += reserved
    document.available = document.on_hand - document.reserved
    document.locations[event.location] = document.locations.get(event.location, 0) + on_hand
    return document


def units_available(document: InventoryDocument) -> int | None:
    """The score in the ranking."""
    return None if document.delisted else document.available


VIEW = DocumentView(
    name="inventory",
    model=2,
    shape=InventoryDocument,
    events=STOCK_EVENTS | {ProductListed, ProductDelisted},
    facts=facts,
    evolve=evolve,
    ranking=Ranking(AVAILABLE, units_available),
)
