"""What sells best."""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from read_api.cursors import cursor_of_rank, rank_of_cursor
from read_api.freshness import read_fresh
from read_api.openapi import Bestseller, documented_list
from read_api.product_pages import pages_on_sale
from read_api.requests import Cursor, Limit, WantedFreshness
from read_api.responses import answer, listing, with_field
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1", tags=["catalog"])

_QUERY = "bestsellers"


class _Ranked(msgspec.Struct, frozen=True):
    items: list[bytes]
    is_last: bool
    position: int


@router.get("/bestsellers", summary="What sells best", **documented_list(Bestseller))
async def bestsellers(
    request: Request, wanted: WantedFreshness, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Products on sale by units ordered, canceled orders out."""
    stores = stores_of(request)
    start = rank_of_cursor(cursor, _QUERY)

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for("bestsellers", None, position, seconds),
            stores.documents.wait_for("product", None, position, seconds),
        )

    ranked = await read_fresh(
        lambda: _ranked(stores, start, limit), wait, wanted, stores.settings.min_position_wait_seconds
    )
    following = cursor_of_rank(None if ranked.is_last else start + limit, _QUERY)
    return answer(listing(ranked.items, following), ranked.position, request.headers)


async def _ranked(stores: Stores, start: int, limit: int) -> _Ranked:
    entries = await stores.documents.ranking("bestsellers", "units", start=start, limit=limit + 1)
    shown = entries.members[:limit]
    # The pages may have seen what the ranking has not, or the other way round.
    found = await pages_on_sale(stores, [sku for sku, _ in shown])
    items = [
        with_field(page, "units", units)
        for (_, units), page in zip(shown, found.pages, strict=True)
        if page is not None
    ]
    return _Ranked(items, len(entries.members) <= limit, min(entries.position, found.position))
