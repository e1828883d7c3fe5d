"""The view `product`: the product page, with what can be bought of it now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from aggregates.catalog.events import (
    CatalogEvent,
    PriceChanged,
    PriceScheduleCanceled,
    PriceScheduled,
    PriceWithdrawn,
    ProductDelisted,
    ProductListed,
    ProductRevised,
)
from aggregates.inventory.events import InventoryEvent
from event_store.records import RecordedEvent
from projections.documents.shapes import ProductDocument, VariantDocument
from projections.views.inventory import STOCK_EVENTS, moved
from projections.views.public_prices import price
from projections.views.view import DocumentView

LISTED = "listed"

UNLISTED = "unlisted"
"""The status of a SKU that has stock and was never listed: readers answer that there is no such product."""


def facts(
    event: CatalogEvent | InventoryEvent, recorded: RecordedEvent
) -> Sequence[tuple[str, CatalogEvent | InventoryEvent]]:
    """The event, for its SKU."""
    return ((event.sku, event),)


def evolve(
    key: str,
    document: ProductDocument | None,
    event: CatalogEvent | InventoryEvent,
    recorded: RecordedEvent,
) -> ProductDocument:
    """The product page after the event."""
    if document is None:
        document = unlisted(key, recorded)
    match event:
        case ProductListed() | ProductRevised():
            document.title = event.title
            document.description = event.description
            document.category = event.category
            document.attributes = event.attributes
            document.seller = event.seller
            document.variants = [VariantDocument(event.sku, event.title)]
            if isinstance(event, ProductListed):
                document.status = LISTED
                price(document, event, recorded.valid_at)
        case PriceChanged() | PriceWithdrawn():
            price(document, event, recorded.valid_at)
        case PriceScheduled() | PriceScheduleCanceled():
            pass
        case ProductDelisted():
            document.status = "delisted"
        case _:
            on_hand, reserved = moved(event)
            document.on_hand += on_hand
            document.reserved += reserved
    document.changed_at = recorded.recorded_at
    # What is not listed is for sale nowhere, whatever lies on the shelf.
    document.available = document.on_hand - document.reserved if document.status == LISTED else 0
    return document


def unlisted(sku: str, recorded: RecordedEvent) -> ProductDocument:
    return ProductDocument(
        sku=sku,
        title="",
        description="",
        category="",
        attributes={},
        price=None,
        available=0,
        seller="",
        variants=[],
        status=UNLISTED,
        position=recorded.position,
        changed_at=recorded.recorded_at,
    )


VIEW = DocumentView(
    name="product",
    model=7,
    shape=ProductDocument,
    events=frozenset(get_args(CatalogEvent)) | STOCK_EVENTS,
    facts=facts,
    evolve=evolve,
)
