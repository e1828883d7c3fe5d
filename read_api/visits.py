"""What a visit looked at."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from projections.documents.shapes import ProductDocument, RecentDocument
from read_api.freshness import read_fresh
from read_api.openapi import documented_list
from read_api.product_pages import pages_on_sale
from read_api.requests import Identifier, WantedFreshness
from read_api.responses import answer, listing
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1/visits", tags=["visits"])

_decode = msgspec.json.Decoder(RecentDocument).decode


class _Recent(NamedTuple):
    items: list[bytes]
    position: int


@router.get(
    "/{visit_id}/recent",
    summary="What a visit looked at last",
    **documented_list(ProductDocument, paged=False),
)
async def recent(request: Request, visit_id: Identifier, wanted: WantedFreshness) -> Response:
    """Of the last 20 products those that are on sale, each once, newest first; none of a visit that looked at
    nothing. Who knows the id may see them."""
    stores = stores_of(request)

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for("recent", visit_id, position, seconds),
            stores.documents.wait_for("product", None, position, seconds),
        )

    found = await read_fresh(
        lambda: _recent(stores, visit_id), wait, wanted, stores.settings.min_position_wait_seconds
    )
    return answer(listing(found.items, None), found.position, request.headers, cache="client")


async def _recent(stores: Stores, visit_id: str) -> _Recent:
    viewed = await stores.documents.document("recent", visit_id)
    skus = [] if viewed.document is None else _decode(viewed.document).skus
    found = await pages_on_sale(stores, skus)
    return _Recent([page for page in found.pages if page is not None], min(viewed.position, found.position))
