"""Stock."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from projections.documents.shapes import InventoryDocument
from read_api.freshness import fresh_document, present
from read_api.openapi import documented
from read_api.problems import UNKNOWN_SKU
from read_api.requests import Sku, WantedFreshness
from read_api.responses import answer
from read_api.stores import stores_of

router = APIRouter(prefix="/api/v1/inventory", tags=["inventory"])


@router.get("/{sku}", summary="The stock of a SKU", **documented(InventoryDocument, UNKNOWN_SKU))
async def inventory(request: Request, sku: Sku, wanted: WantedFreshness) -> Response:
    """Units on hand, those reserved of them, and what is left to sell."""
    found = await fresh_document(stores_of(request), "inventory", sku, wanted)
    document, position = present(found, UNKNOWN_SKU, sku=sku)
    return answer(document, position, request.headers, cache="client")
