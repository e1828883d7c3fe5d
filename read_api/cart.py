"""Carts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from projections.documents.shapes import CartDocument
from read_api.freshness import Freshness, Present, fresh_document, present
from read_api.openapi import documented
from read_api.problems import UNKNOWN_CART
from read_api.requests import Identifier, WantedFreshness
from read_api.responses import answer
from read_api.stores import stores_of

router = APIRouter(prefix="/api/v1/carts", tags=["carts"])


@router.get("/{cart_id}", summary="A cart", **documented(CartDocument, UNKNOWN_CART))
async def cart(request: Request, cart_id: Identifier, wanted: WantedFreshness) -> Response:
    """What is in it and what it comes to. Who knows the id may see the cart."""
    found = await read_cart(request, cart_id, wanted)
    return answer(found.document, found.position, request.headers, cache="client")


async def read_cart(request: Request, cart_id: str, wanted: Freshness | None) -> Present:
    """The cart. Raises unknown-cart."""
    found = await fresh_document(stores_of(request), "cart", cart_id, wanted)
    return present(found, UNKNOWN_CART, cart_id=cart_id)
