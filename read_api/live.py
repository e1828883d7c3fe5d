"""A cart, an order, a product as they change: event streams of documents."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response

from deploy.edge.event_streams import EventStream
from deploy.edge.problems import ORDER_SECRET_REQUIRED, TOO_MANY_LISTENERS, ProblemError
from read_api.access import operator_or_secret
from read_api.cart import read_cart
from read_api.freshness import VIEW_POSITION, Present
from read_api.openapi import documented_stream
from read_api.orders import read_order
from read_api.problems import UNKNOWN_CART, UNKNOWN_ORDER, UNKNOWN_PRODUCT
from read_api.product_page import read_product
from read_api.requests import Identifier, Sku, WantedFreshness
from read_api.stores import stores_of
from read_api.watching import TooManyWatchers

router = APIRouter(prefix="/api/v1", tags=["live"])

_LATER = {"Retry-After": "5"}

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="The position last received: the document is sent at once only where it is another.",
    ),
]


@router.get("/carts/{cart_id}/live", summary="A cart, live", **documented_stream(UNKNOWN_CART))
async def live_cart(
    request: Request, cart_id: Identifier, wanted: WantedFreshness, last_event_id: LastEventId = None
) -> Response:
    """The cart now, and again whenever it has changed: `id` is its position, `data` the document."""
    return _live(request, "cart", cart_id, await read_cart(request, cart_id, wanted), last_event_id)


@router.get(
    "/orders/{order_id}/live",
    summary="An order, live",
    dependencies=[Depends(operator_or_secret)],
    **documented_stream(ORDER_SECRET_REQUIRED, UNKNOWN_ORDER),
)
async def live_order(
    request: Request, order_id: Identifier, wanted: WantedFreshness, last_event_id: LastEventId = None
) -> Response:
    """The order now, and again whenever it has changed: `id` is its position, `data` the document.

    Its secret is sent as a header, as for the order itself.
    """
    return _live(
        request, "order", order_id, await read_order(request, "order", order_id, wanted), last_event_id
    )


@router.get("/products/{sku}/live", summary="A product, live", **documented_stream(UNKNOWN_PRODUCT))
async def live_product(
    request: Request, sku: Sku, wanted: WantedFreshness, last_event_id: LastEventId = None
) -> Response:
    """The product page now, and again whenever price or stock have changed: `id` is its position."""
    return _live(request, "product", sku, await read_product(request, sku, wanted), last_event_id)


def _live(request: Request, view: str, key: str, found: Present, last_event_id: str | None) -> Response:
    with ExitStack() as place:
        try:
            watch = place.enter_context(stores_of(request).watcher.watch(view, key, found.document))
        except TooManyWatchers:
            raise ProblemError(TOO_MANY_LISTENERS, headers=_LATER) from None
        headers: dict[str, Any] = {VIEW_POSITION: str(found.position)}
        if view == "order":
            headers["Vary"] = "Authorization, Daybook-Order-Secret"
        messages = watch.messages(is_known=last_event_id == str(watch.position))
        return EventStream(messages, place.pop_all(), headers)
