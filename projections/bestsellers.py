"""The view `bestsellers`: units ordered of each SKU, canceled orders out; ranking `units`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aggregates.orders.events import OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import BestsellerDocument
from projections.view import DocumentView, Ranking

UNITS = "units"
"""The ranking of the SKUs by units; one of which nothing is left ordered is not in it."""


class Ordered(NamedTuple):
    """What an order tells of one SKU: its title there, and by how many units it changes what is ordered."""

    title: str | None
    units: int


def facts(event: OrderPlaced | OrderCanceled) -> Sequence[tuple[str, Ordered]]:
    """The units of each SKU, over all lines that have it."""
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
    key: str, document: BestsellerDocument | None, fact: Ordered, recorded: RecordedEvent
) -> BestsellerDocument:
    """The SKU's units after the order; its title is that of the last one."""
    document = document or BestsellerDocument(sku=key, title="", units=0, position=recorded.position)
    document.units += fact.units
    if fact.title is not None:
        document.title = fact.title
    return document


def units_sold(document: BestsellerDocument) -> int | None:
    """The score in the ranking."""
    return document.units or None


VIEW = DocumentView(
    name="bestsellers",
    model=1,
    shape=BestsellerDocument,
    events=frozenset({OrderPlaced, OrderCanceled}),
    facts=facts,
    evolve=evolve,
    ranking=Ranking(UNITS, units_sold),
)
