"""The view `price_history`: what one unit of a product cost on each public list, from which moment on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aggregates.catalog.events import PriceChanged, PriceWithdrawn, ProductListed
from aggregates.pricing.rules import BASE
from event_store.records import RecordedEvent
from projections.documents.shapes import PriceHistoryDocument, PriceSeries
from projections.views.public_prices import PriceEvent, amount_of_one, append_point, is_public
from projections.views.view import DocumentView


def facts(event: PriceEvent) -> Sequence[tuple[str, PriceEvent]]:
    """The event, for its SKU."""
    return ((event.sku, event),)


def evolve(
    key: str, document: PriceHistoryDocument | None, event: PriceEvent, recorded: RecordedEvent
) -> PriceHistoryDocument:
    """The history after the event, by its own time."""
    document = document or PriceHistoryDocument(sku=key, series=[], position=recorded.position)
    at = recorded.valid_at
    match event:
        case ProductListed(price=price):
            _append(document, BASE, price.currency, amount_of_one(((1, price.exact),), price.currency), at)
        case PriceChanged(list=price_list, currency=currency, tiers=tiers):
            if is_public(price_list):
                _append(document, price_list.list_id, currency, amount_of_one(tiers, currency), at)
        case PriceWithdrawn(list_id=list_id, currency=currency):
            _append(document, list_id, currency, None, at)
    return document


def _append(
    document: PriceHistoryDocument, list_id: str, currency: str, amount: int | None, at: datetime
) -> None:
    for series in document.series:
        if (series.list_id, series.currency) == (list_id, currency):
            append_point(series.points, amount, at)
            return
    if amount is not None:
        series = PriceSeries(list_id, currency, [])
        append_point(series.points, amount, at)
        document.series.append(series)


VIEW = DocumentView(
    name="price_history",
    model=1,
    shape=PriceHistoryDocument,
    events=frozenset({ProductListed, PriceChanged, PriceWithdrawn}),
    facts=facts,
    evolve=evolve,
)
