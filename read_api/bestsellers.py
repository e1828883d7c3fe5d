"""What sells best."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from read_api.bestseller_windows import DAYS_VIEW, Window
from read_api.cursors import cursor_of_entry, entry_of_cursor
from read_api.freshness import read_fresh
from read_api.openapi import Bestseller, documented_list
from read_api.product_pages import pages_on_sale
from read_api.requests import Cursor, Limit, WantedFreshness
from read_api.responses import answer, listing, with_field
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1", tags=["catalog"])

_QUERY = "bestsellers"

_DELISTED_MAX = 1_000
"""So many products that left the shop since are passed over for one page of a window; then it is shorter."""

_TOGETHER = 64

InWindow = Annotated[
    Window | None,
    Query(description="Of the newest day on which anything was ordered (UTC), of 7 or of 30 days up to it."),
]


class _Ranked(msgspec.Struct, frozen=True):
    items: list[bytes]
    last: tuple[int, str] | None  # units and SKU of the last that was looked at, where there are more
    position: int


@router.get("/bestsellers", summary="What sells best", **documented_list(Bestseller))
async def bestsellers(
    request: Request,
    wanted: WantedFreshness,
    window: InWindow = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Products on sale by units ordered, canceled orders out: ever, or in a window of days."""
    stores = stores_of(request)
    query = _QUERY if window is None else (_QUERY, window)
    after = entry_of_cursor(cursor, query)

    async def ranked() -> _Ranked:
        if window is None:
            return await _ranked(stores, after, limit)
        return await _ranked_in(stores, window, after, limit)

    view = "bestsellers" if window is None else DAYS_VIEW

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for(view, None, position, seconds),
            stores.documents.wait_for("product", None, position, seconds),
        )

    found = await read_fresh(ranked, wait, wanted, stores.settings.min_position_wait_seconds)
    body = listing(found.items, cursor_of_entry(found.last, query))
    return answer(body, found.position, request.headers)


async def _ranked(stores: Stores, after: tuple[int, str] | None, limit: int) -> _Ranked:
    """Those behind a number of units and a SKU: what sells meanwhile hides no other product."""
    entries = await stores.documents.ranking("bestsellers", "units", after=after, limit=limit + 1)
    shown = entries.members[:limit]
    # The pages may have seen what the ranking has not, or the other way round.
    found = await pages_on_sale(stores, [sku for sku, _ in shown])
    items = [
        with_field(page, "units", units)
        for (_, units), page in zip(shown, found.pages, strict=True)
        if page is not None
    ]
    last = (shown[-1][1], shown[-1][0]) if len(entries.members) > limit else None
    return _Ranked(items, last, min(entries.position, found.position))


async def _ranked_in(stores: Stores, window: Window, after: tuple[int, str] | None, limit: int) -> _Ranked:
    """Days know nothing of what is on sale: products are read on until the page is full."""
    sold = await stores.windows.sold(window)
    start = 0 if after is None else sold.place_behind(after)
    items: list[bytes] = []
    at, end, position = start, min(start + limit + _DELISTED_MAX, len(sold.ranked)), sold.position
    while len(items) < limit and at < end:
        part = sold.ranked[at : min(at + (limit if at == start else _TOGETHER), end)]
        found = await pages_on_sale(stores, [sku for sku, _ in part])
        position = min(position, found.position)
        for (_, units), page in zip(part, found.pages, strict=True):
            if len(items) == limit:
                break
            at += 1
            if page is not None:
                items.append(with_field(page, "units", units))
    last = (sold.ranked[at - 1][1], sold.ranked[at - 1][0]) if start < at < len(sold.ranked) else None
    return _Ranked(items, last, position)
