"""Routes on stock."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from aggregates.kernel import MAIN
from commands.handlers.inventory import AdjustStock, ReceiveStock
from commands.http.json_bodies import JsonRoute
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.schemas import INTEGRAL, QUANTITY_MAX, AnswerBody, Body, Quantity, Reason, SkuPath
from commands.http.validation_errors import check_limit, invalid

router = APIRouter(
    route_class=JsonRoute,
    prefix="/api/v1/inventory",
    tags=["inventory"],
    dependencies=[Depends(operator_only)],
)

Location = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class ReceiptBody(Body):
    """Units that arrived."""

    quantity: Quantity
    reason: Reason = "received"
    location: Location = MAIN


class AdjustmentBody(Body):
    """Units found (positive) or missing (negative)."""

    quantity: Annotated[
        int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX, json_schema_extra={"not": {"const": 0}}), INTEGRAL
    ]
    reason: Reason
    location: Location = MAIN


@router.post("/{sku}/receipts", summary="Book arrived units", **documented(AnswerBody, key="required"))
async def receive_stock(request: Request, sku: SkuPath, body: ReceiptBody) -> Response:
    """Needs an Idempotency-Key: a delivery booked twice would sell what is not there."""
    check_limit(request, "stock_quantity_max", body.quantity, "quantity")
    command = ReceiveStock(sku=sku, quantity=body.quantity, reason=body.reason, location=body.location)
    return await answered(request, command, keyed=True)


@router.post("/{sku}/adjustments", summary="Correct the stock", **documented(AnswerBody, key="required"))
async def adjust_stock(request: Request, sku: SkuPath, body: AdjustmentBody) -> Response:
    """Down never below what is reserved. Needs an Idempotency-Key."""
    check_limit(request, "stock_quantity_max", abs(body.quantity), "quantity")
    if body.quantity == 0:
        invalid("quantity", "must not be 0")
    command = AdjustStock(sku=sku, delta=body.quantity, reason=body.reason, location=body.location)
    return await answered(request, command, keyed=True)
