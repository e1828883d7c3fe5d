"""Orders, one by one and by customer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from deploy.edge.problems import ORDER_SECRET_REQUIRED, TOKEN_REQUIRED
from deploy.edge.requests import order_secret_required
from projections.documents.shapes import ExplanationDocument, OrderDocument
from read_api.access import may_see_order, operator_only, operator_or_secret
from read_api.cursors import cursor_of_rank, rank_of_cursor
from read_api.freshness import Freshness, Present, fresh_document, present, read_fresh, refuse_behind
from read_api.openapi import documented, documented_list
from read_api.problems import UNKNOWN_ORDER
from read_api.requests import Cursor, Identifier, Limit, WantedFreshness
from read_api.responses import answer, listing
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1", tags=["orders"])


class _Orders(msgspec.Struct, frozen=True):
    items: list[bytes]
    next_below: int | None
    position: int


@router.get(
    "/orders/{order_id}",
    summary="An order",
    dependencies=[Depends(operator_or_secret)],
    **documented(OrderDocument, ORDER_SECRET_REQUIRED, UNKNOWN_ORDER),
)
async def order(request: Request, order_id: Identifier, wanted: WantedFreshness) -> Response:
    """With its payment, what was sent, came back and was refunded.

    Where an operator token is set, it is shown to the operator and to clients that hold its secret.
    """
    return await _shown(request, "order", order_id, wanted)


@router.get(
    "/orders/{order_id}/explanation",
    summary="How an order's total came about",
    dependencies=[Depends(operator_or_secret)],
    **documented(ExplanationDocument, ORDER_SECRET_REQUIRED, UNKNOWN_ORDER),
)
async def explanation(request: Request, order_id: Identifier, wanted: WantedFreshness) -> Response:
    """Every step that made an amount, with the share of each line, as the order was placed.

    Where an operator token is set, it is shown to the operator and to clients that hold the order's secret.
    """
    return await _shown(request, "explanation", order_id, wanted)


async def _shown(request: Request, view: str, order_id: str, wanted: WantedFreshness) -> Response:
    found = await read_order(request, view, order_id, wanted)
    return answer(found.document, found.position, request.headers, cache="holder")


async def read_order(request: Request, view: str, order_id: str, wanted: Freshness | None) -> Present:
    """The order's document in this view, for those who may see it.

    Raises order-secret-required and unknown-order.
    """
    patient = None if wanted is None else replace(wanted, strict=False)
    found = await fresh_document(stores_of(request), view, order_id, patient)
    if not may_see_order(request, found.document):
        raise order_secret_required()
    refuse_behind(found, wanted)
    return present(found, UNKNOWN_ORDER, order_id=order_id)


@router.get(
    "/customers/{customer_id}/orders",
    summary="A customer's orders",
    dependencies=[Depends(operator_only)],
    **documented_list(OrderDocument, TOKEN_REQUIRED),
)
async def orders_of_customer(
    request: Request,
    customer_id: Identifier,
    wanted: WantedFreshness,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """The newest first. A customer without orders, known or not, has an empty list. For the operator."""
    stores = stores_of(request)
    query = ("orders of", customer_id)
    below = rank_of_cursor(cursor, query) if cursor is not None else None

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for("customer_orders", customer_id, position, seconds),
            stores.documents.wait_for("order", None, position, seconds),
        )

    found = await read_fresh(
        lambda: _orders(stores, customer_id, below, limit),
        wait,
        wanted,
        stores.settings.min_position_wait_seconds,
    )
    body = listing(found.items, cursor_of_rank(found.next_below, query))
    return answer(body, found.position, request.headers, cache="holder")


async def _orders(stores: Stores, customer_id: str, below: int | None, limit: int) -> _Orders:
    """Orders placed at a position below `below`. Positions are the scores, and none is shared."""
    entries = await stores.documents.newest_entries(
        "customer_orders", customer_id, limit=limit + 1, below=below
    )
    shown = entries.members[:limit]
    orders = await stores.documents.documents("order", [order_id for order_id, _ in shown])
    # The list may have seen an order that the order's own view has not: it is there on the next reading.
    items = [document for document in orders.documents if document is not None]
    next_below = shown[-1][1] if len(entries.members) > limit else None
    return _Orders(items, next_below, min(entries.position, orders.position))
