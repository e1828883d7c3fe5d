"""What a product cost: its price's changes on a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from projections.documents.shapes import PriceHistoryDocument, PricePoint, PriceSeries
from read_api.freshness import fresh_document
from read_api.openapi import documented
from read_api.problems import UNKNOWN_PRODUCT, unknown
from read_api.requests import WRITTEN_IN_DIGITS, Sku, WantedFreshness
from read_api.responses import answer
from read_api.stores import stores_of

router = APIRouter(prefix="/api/v1/products", tags=["catalog"])

DAYS_MAX = 3_650

ListId = Annotated[
    str,
    Query(
        alias="list",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="A price list that is for everybody; `base` is that of products' own prices.",
    ),
]
Days = Annotated[
    Annotated[int, Field(ge=1, le=DAYS_MAX)] | None,
    WRITTEN_IN_DIGITS,
    Query(description="So many days back from now, with the price that held when they began."),
]

_decode = msgspec.json.Decoder(PriceHistoryDocument).decode
_encode = msgspec.json.Encoder().encode


@router.get(
    "/{sku}/price-history",
    summary="What a product cost",
    **documented(PriceHistoryDocument, UNKNOWN_PRODUCT),
)
async def price_history(
    request: Request, sku: Sku, wanted: WantedFreshness, list_id: ListId = "base", days: Days = None
) -> Response:
    """One unit's price by currency, from when on. No series: the list never had a price of the product."""
    found = await fresh_document(stores_of(request), "price_history", sku, wanted)
    if found.document is None:
        raise unknown(UNKNOWN_PRODUCT, found.position, sku=sku)
    history = _decode(found.document)
    history.series = [series for series in history.series if series.list_id == list_id]
    if days is not None:
        since = datetime.now(UTC) - timedelta(days=days)
        history.series = [since_then(series, since) for series in history.series]
    return answer(_encode(history), found.position, request.headers)


def since_then(series: PriceSeries, since: datetime) -> PriceSeries:
    """The series from the point that held at that moment."""
    first = max((n for n, point in enumerate(series.points) if point.since <= since), default=0)
    points: list[PricePoint] = series.points[first:]
    return msgspec.structs.replace(series, points=points)
