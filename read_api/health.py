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
from projections.documents.stops import Stop
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
    """Ready once every view stands where the log's head stood at the start.

    A view that has stopped before an event holds up no other: then the answer is `degraded`.
    """
    wanted: ReadyPosition = request.app.state.ready_position
    head = await asyncio.to_thread(wanted)
    if head is None:
        return problem(NOT_READY, "The log's head is not known yet.")
    behind: dict[str, int | None] = {}
    stores = stores_of(request)
    positions = await view_positions(stores)
    for view, position in positions.items():
        if position is None or position < head:
            behind[view] = position
    stopped = await stopped_views(stores)
    for view, position in stopped.items():
        if behind.get(view) == position:  # It is as far as it comes.
            del behind[view]
    if behind:
        listed = ", ".join(f"{view} at {position or 0}" for view, position in behind.items())
        return problem(NOT_READY, f"Not yet at position {head}: {listed}.", behind=behind)
    position = min(position or 0 for position in positions.values())
    if not stopped:
        return {"status": "ready", "position": position}
    return {"status": "degraded", "position": position, "stopped": stopped}


async def stopped_views(stores: Stores) -> dict[str, int]:
    """Where each view stands that has stopped before an event; none where that cannot be found out now."""

    async def is_read(stop: Stop) -> bool:
        return stop.view == SEARCH or (await stores.documents.pointer(stop.view)).version == stop.version

    try:
        return {stop.view: stop.position for stop in await stores.documents.stops() if await is_read(stop)}
    except (ViewNotReady, ReadStoreUnavailable):
        return {}


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
