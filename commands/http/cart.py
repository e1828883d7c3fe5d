"""Routes on carts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from aggregates.cart.cart import Limits
from commands.handlers.cart import OpenCart, RemoveItem, SetQuantity
from commands.http.add_item import ItemBody, add_to_cart
from commands.http.json_bodies import JsonRoute
from commands.http.problems import SKU_MISMATCH
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.schemas import (
    INTEGRAL,
    QUANTITY_MAX,
    AnswerBody,
    Body,
    Currency,
    CustomerId,
    IdPath,
    SkuPath,
    SkuText,
)
from deploy.edge.problems import ProblemError
from event_store.ids import new_id

router = APIRouter(route_class=JsonRoute, prefix="/api/v1/carts", tags=["carts"])


class CartBody(Body):
    """A cart to be taken: every price in it is in one currency."""

    currency: Currency
    customer_id: CustomerId | None = None


class QuantityBody(Body):
    """How many units the line is to hold; 0 removes it. `sku`, where given, must be the path's."""

    quantity: Annotated[int, Field(ge=0, le=QUANTITY_MAX), INTEGRAL]
    sku: SkuText | None = None


@router.post("", summary="Take a cart", **documented(AnswerBody, key="taken"))
async def open_cart(request: Request, body: CartBody) -> Response:
    """The answer's `id` is the cart's: any client that knows it may use the cart.

    Where an operator token is set, only the operator may name the cart's customer.
    """
    if body.customer_id is not None:
        operator_only(request)
    command = OpenCart(cart_id=new_id(), currency=body.currency, customer_id=body.customer_id)
    return await answered(request, command)


@router.post("/{cart_id}/items", summary="Put units of a product in", **documented(AnswerBody, key="taken"))
async def add_item(request: Request, cart_id: IdPath, body: ItemBody) -> Response:
    """Adds to what is there. Stock is not looked at: checkout reserves."""
    return await add_to_cart(request, cart_id, body)


@router.put(
    "/{cart_id}/items/{sku}", summary="Set a quantity", **documented(AnswerBody, created=False, key="none")
)
async def set_quantity(request: Request, cart_id: IdPath, sku: SkuPath, body: QuantityBody) -> Response:
    """The line then holds exactly so many units; 0 removes it, and a product not in the cart is added."""
    if body.sku not in (None, sku):
        raise ProblemError(SKU_MISMATCH)
    settings = request.app.state.settings
    command = SetQuantity(
        cart_id=cart_id,
        sku=sku,
        quantity=body.quantity,
        limits=Limits(lines_max=settings.cart_lines_max, quantity_max=settings.line_quantity_max),
        locked_until=datetime.now(UTC) + timedelta(seconds=settings.price_lock_seconds),
    )
    return await answered(request, command)


@router.delete(
    "/{cart_id}/items/{sku}",
    summary="Take a product out",
    **documented(AnswerBody, created=False, key="none"),
)
async def remove_item(request: Request, cart_id: IdPath, sku: SkuPath) -> Response:
    """What is not there needs no removing."""
    return await answered(request, RemoveItem(cart_id=cart_id, sku=sku))
