"""Whether the views have caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from deploy.edge.problems import NOT_READY, problem
from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.search import VIEW as SEARCH
from read_api.openapi import problem_answers
from read_api.stores import Stores, stores_of

router = APIRouter(tags=["health"])

ReadyPosition = Callable[[], int | None]
"""The position that every view must have reached: the head as it stood at start. None: not known yet."""

VIEWS = (
    *("product", "inventory", "cart", "order", "explanation", "customer_orders", "sales", "bestsellers"),
    *("also_bought", "recent", "conversion"),
    *("sales_hours", "customer_value", "bestseller_days"),
    *("coupon", "batch_coupons", "coupon_batches", "terms", "credit"),
)
"""The views in Redis that this API answers from."""


@router.get(
    "/health/ready",
    summary="The views have caught up",
    response_model=None,
    responses=problem_answers(NOT_READY),
)
async def ready(request: Request) -> Response | dict[str, Any]:
    """Ready once every view stands where the log's head stood at the start."""
    wanted: ReadyPosition = request.app.state.ready_position
    head = await asyncio.to_thread(wanted)
    if head is None:
        return problem(NOT_READY, "The log's head is not known yet.")
    behind: dict[str, int | None] = {}
    positions = await view_positions(stores_of(request))
    for view, position in positions.items():
        if position is None or position < head:
            behind[view] = position
    if behind:
        listed = ", ".join(f"{view} at {position or 0}" for view, position in behind.items())
        return problem(NOT_READY, f"Not yet at position {head}: {listed}.", behind=behind)
    return {"status": "ready", "position": min(position or 0 for position in positions.values())}


async def view_positions(stores: Stores) -> dict[str, int | None]:
    """Where each view stands; None where it is being built, or its store is away."""

    async def position(view: str) -> int | None:
        try:
            if view == SEARCH:
                return await stores.index.position()
            return await stores.documents.view_position(view)
        except (ViewNotReady, ReadStoreUnavailable):
            return None

    views = (*VIEWS, SEARCH)
    return dict(zip(views, await asyncio.gather(*map(position, views)), strict=True))
