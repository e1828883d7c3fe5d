"""The view `bestsellers`: units ordered of each SKU on sale, canceled orders out; ranking `units`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from aggregates.catalog.events import ProductDelisted, ProductListed
from aggregates.orders.events import OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import BestsellerDocument
from projections.views.view import DocumentView, Ranking

UNITS = "units"
"""The ranking of the SKUs by units; one that is not on sale, or of which nothing is ordered, is not in it."""


class Ordered(NamedTuple):
    """What an order changes for one SKU: its title, and by how many units it changes what is ordered."""

    title: str | None
    units: int


Event = OrderPlaced | OrderCanceled | ProductListed | ProductDelisted
Fact = Ordered | ProductListed | ProductDelisted


def facts(event: Event, recorded: RecordedEvent) -> Sequence[tuple[str, Fact]]:
    """The units of each SKU, over all lines that have it; or that it came on sale, or left."""
    if isinstance(event, ProductListed | ProductDelisted):
        return ((event.sku, event),)
    ordered: dict[str, Ordered] = {}
    if isinstance(event, OrderPlaced):
        for line in event.lines:
            before = ordered.get(line.sku)
            ordered[line.sku] = Ordered(line.title, line.quantity + (before.units if before else 0))
    else:
        for canceled in event.lines:
            before = ordered.get(canceled.sku)
            ordered[canceled.sku] = Ordered(None, (before.units if before else 0) - canceled.quantity)
    return tuple(ordered.items())


def evolve(
    key: str, document: BestsellerDocument | None, fact: Fact, recorded: RecordedEvent
) -> BestsellerDocument:
    """The SKU's units after the order, and whether it is on sale; its title is the last that was heard of."""
    document = document or BestsellerDocument(sku=key, title="", units=0, position=recorded.position)
    match fact:
        case ProductListed():
            document.on_sale = True
            document.title = fact.title
        case ProductDelisted():
            document.on_sale = False
        case Ordered():
            document.units += fact.units
            document.title = document.title if fact.title is None else fact.title
    return document


def units_sold(document: BestsellerDocument) -> int | None:
    """The score in the ranking."""
    return (document.units or None) if document.on_sale else None


VIEW = DocumentView(
    name="bestsellers",
    model=2,
    shape=BestsellerDocument,
    events=frozenset(get_args(Event)),
    facts=facts,
    evolve=evolve,
    ranking=Ranking(UNITS, units_sold),
)
