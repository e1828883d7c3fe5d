"""Stock: of one SKU, and what runs low."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from deploy.edge.problems import TOKEN_REQUIRED
from projections.documents.shapes import InventoryDocument
from read_api.access import operator_only
from read_api.cursors import cursor_of_entry, entry_of_cursor
from read_api.freshness import fresh_document, present, read_fresh
from read_api.openapi import documented, documented_list
from read_api.problems import UNKNOWN_SKU
from read_api.requests import WRITTEN_IN_DIGITS, Cursor, Limit, Sku, WantedFreshness
from read_api.responses import answer, listing
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1/inventory", tags=["inventory"])

_UNITS_MAX = 2**53

Low = Annotated[bool, Query(description="Only SKUs whose stock is low (`DAYBOOK_LOW_STOCK`).")]
Below = Annotated[
    Annotated[int, Field(ge=0, le=_UNITS_MAX), WRITTEN_IN_DIGITS] | None,
    Query(description="Only SKUs that have fewer units available."),
]


class _Stock(msgspec.Struct):
    locations: dict[str, int]


_stock = msgspec.json.Decoder(_Stock).decode


class _Found(msgspec.Struct, frozen=True):
    items: list[bytes]
    last: tuple[int, str] | None  # available and SKU of the last, where there are more
    position: int


@router.get(
    "",
    summary="What there is least of",
    dependencies=[Depends(operator_only)],
    **documented_list(InventoryDocument, TOKEN_REQUIRED),
)
async def inventory_list(
    request: Request,
    wanted: WantedFreshness,
    low: Low = False,
    below: Below = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """SKUs by units available, the fewest first, then by SKU; those that are delisted are out. For the
    operator."""
    stores = stores_of(request)
    query = ("inventory", low, below)
    after = entry_of_cursor(cursor, query)
    limits = ([stores.settings.low_stock] if low else []) + ([] if below is None else [below - 1])

    async def wait(position: int, seconds: float) -> int:
        return await stores.documents.wait_for("inventory", None, position, seconds)

    found = await read_fresh(
        lambda: _found(stores, after, min(limits, default=_UNITS_MAX), limit),
        wait,
        wanted,
        stores.settings.min_position_wait_seconds,
    )
    body = listing(found.items, cursor_of_entry(found.last, query))
    return answer(body, found.position, request.headers, cache="holder")


@router.get("/{sku}", summary="The stock of a SKU", **documented(InventoryDocument, UNKNOWN_SKU))
async def inventory(request: Request, sku: Sku, wanted: WantedFreshness) -> Response:
    """Units on hand, those reserved of them, and what is left to sell."""
    found = await fresh_document(stores_of(request), "inventory", sku, wanted)
    if found.document is not None and not _stock(found.document).locations:
        found = msgspec.structs.replace(found, document=None)  # Listed, and never had any stock.
    document, position = present(found, UNKNOWN_SKU, sku=sku)
    return answer(document, position, request.headers, cache="client")


async def _found(stores: Stores, after: tuple[int, str] | None, most: int, limit: int) -> _Found:
    """Those after a number of units and a SKU: stock that moves meanwhile hides no other SKU."""
    entries = await stores.documents.ranking_between(
        "inventory", "available", -_UNITS_MAX, most, after=after, limit=limit + 1
    )
    shown = entries.members[:limit]
    documents = await stores.documents.documents("inventory", [sku for sku, _ in shown])
    items = [document for document in documents.documents if document is not None]
    last = (shown[-1][1], shown[-1][0]) if len(entries.members) > limit else None
    return _Found(items, last, min(entries.position, documents.position))
