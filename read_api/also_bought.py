"""What was bought together with a product."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from projections.documents.shapes import AlsoBoughtDocument
from read_api.freshness import read_fresh
from read_api.openapi import AlsoBought, documented_list
from read_api.problems import UNKNOWN_PRODUCT, unknown
from read_api.product_pages import pages_on_sale
from read_api.requests import Sku, WantedFreshness
from read_api.responses import answer, listing, with_field
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1/products", tags=["catalog"])

ITEMS_MAX = 20

_decode = msgspec.json.Decoder(AlsoBoughtDocument).decode


class _Partners(NamedTuple):
    is_known: bool
    items: list[bytes]
    position: int


@router.get(
    "/{sku}/also-bought",
    summary="What was bought with a product",
    **documented_list(AlsoBought, UNKNOWN_PRODUCT, paged=False),
)
async def also_bought(request: Request, sku: Sku, wanted: WantedFreshness) -> Response:
    """At most 20 products on sale, by how many orders had both, canceled orders out; of equals, what was
    ordered last comes first."""
    stores = stores_of(request)

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for("also_bought", sku, position, seconds),
            stores.documents.wait_for("product", None, position, seconds),
        )

    found = await read_fresh(
        lambda: _partners(stores, sku), wait, wanted, stores.settings.min_position_wait_seconds
    )
    if not found.is_known:
        raise unknown(UNKNOWN_PRODUCT, found.position, sku=sku)
    return answer(listing(found.items, None), found.position, request.headers)


async def _partners(stores: Stores, sku: str) -> _Partners:
    product, bought = await asyncio.gather(
        stores.documents.document("product", sku), stores.documents.document("also_bought", sku)
    )
    position = min(product.position, bought.position)
    is_known = product.document is not None and b'"price":null' not in product.document
    items: list[bytes] = []
    if bought.document is not None:
        document = _decode(bought.document)
        orders, best = document.orders, document.best_first()
        while best and len(items) < ITEMS_MAX:
            skus, best = best[: 2 * ITEMS_MAX], best[2 * ITEMS_MAX :]
            found = await pages_on_sale(stores, skus)
            position = min(position, found.position)
            shown = zip(skus, found.pages, strict=True)
            items += [with_field(page, "orders", orders[sku]) for sku, page in shown if page is not None]
    return _Partners(is_known, items[:ITEMS_MAX], position)
