"""The view `price_history`: what one unit of a product cost on each public list, from which moment on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aggregates.catalog.events import PriceChanged, PriceWithdrawn, ProductListed
from aggregates.pricing.rules import BASE, PriceList
from event_store.records import RecordedEvent
from projections.documents.shapes import PriceHistoryDocument, PriceSeries
from projections.views.public_prices import PriceEvent, amount_of_one, append_point, is_public
from projections.views.view import DocumentView


def facts(event: PriceEvent, recorded: RecordedEvent) -> Sequence[tuple[str, PriceEvent]]:
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
            base = PriceList(list_id=BASE, currency=price.currency)
            _append(document, base, amount_of_one(((1, price.exact),), price.currency), at)
        case PriceChanged(list=price_list, currency=currency, tiers=tiers):
            if is_public(price_list):
                _append(document, price_list, amount_of_one(tiers, currency), at)
        case PriceWithdrawn(list_id=list_id, currency=currency):
            for series in _of_list(document, list_id, currency):
                append_point(series.points, None, at)
    return document


def _append(document: PriceHistoryDocument, price_list: PriceList, amount: int | None, at: datetime) -> None:
    series = None
    for one in _of_list(document, price_list.list_id, price_list.currency):
        if one.tax_included == price_list.tax_included:
            series = one
        else:  # A base price without tax takes the place of one with it.
            _end(document, one, at)
    if series is None:
        if amount is None:
            return
        series = PriceSeries(
            list_id=price_list.list_id,
            currency=price_list.currency,
            points=[],
            kind=price_list.kind,
            tax_included=price_list.tax_included,
            priority=price_list.priority,
            markets=list(price_list.markets),
        )
        document.series.append(series)
    append_point(series.points, amount, at)


def _end(document: PriceHistoryDocument, series: PriceSeries, at: datetime) -> None:
    """There is no price in the series from this moment on; of one that only began then nothing is left."""
    if series.points[-1].since == at:
        del series.points[-1]
        if not series.points:
            document.series.remove(series)
    else:
        append_point(series.points, None, at)


def _of_list(document: PriceHistoryDocument, list_id: str, currency: str) -> list[PriceSeries]:
    return [one for one in document.series if (one.list_id, one.currency) == (list_id, currency)]


VIEW = DocumentView(
    name="price_history",
    model=3,
    shape=PriceHistoryDocument,
    events=frozenset({ProductListed, PriceChanged, PriceWithdrawn}),
    facts=facts,
    evolve=evolve,
)
