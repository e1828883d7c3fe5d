"""Routes for the operator who settles what no process can: orders that owe, or are owed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from aggregates.payments.events import Call, Concern
from commands.handlers.payments import RetryPayment, WriteOffPayment
from commands.http.json_bodies import JsonRoute
from commands.http.orders import STEP_SECONDS_MAX
from commands.http.requests import operator_only
from commands.http.responses import PROBLEM, answered, answered_after_step, documented
from commands.http.schemas import AnswerBody, Body, IdPath, MoneyBody, Reason
from commands.operator.owed import OwedPage, read_owed
from deploy.edge.requests import parameters_once

router = APIRouter(
    route_class=JsonRoute,
    prefix="/api/v1/payments",
    tags=["payments"],
    dependencies=[Depends(operator_only)],
)

LIMIT_MAX = 1_000
METHOD = r"^[A-Za-z0-9_]{1,255}$"


class StuckCall(BaseModel):
    """A call that the gateway refused, or whose outcome is lost."""

    call: Call
    outcome: str
    code: str | None
    request_id: str | None
    at: datetime


class OwedOrderItem(BaseModel):
    """What one order leaves to be settled by a person, and since when."""

    order_id: str
    number: str
    to_shop: MoneyBody
    to_customer: MoneyBody
    stuck: list[StuckCall]
    concerns: list[Concern]
    since: datetime


class OwedList(BaseModel):
    """A page; `next` is the cursor of the next one, null on the last."""

    items: list[OwedOrderItem]
    next: str | None


class RetryBody(Body):
    """How the customer pays in a second attempt; else as in the first."""

    method: Annotated[str, Field(pattern=METHOD, examples=["pm_card_visa"])] | None = None


class WriteOffBody(Body):
    """Why what is owed is given up."""

    reason: Reason | None = None


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items per page.")]
Cursor = Annotated[
    Annotated[str, Field(pattern="^[0-9]{1,18}$")] | SkipJsonSchema[None],
    Query(description="`next` of the page before: goes on after that."),
]


@router.get(
    "/owed",
    summary="What is owed, stuck or to be looked at",
    response_model=OwedList,
    responses=dict.fromkeys((400, 401, 422, 429, 503), PROBLEM),
)
async def owed_list(request: Request, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Orders whose payment waits for an operator, those that have not changed for longest first.

    `to_shop` and `to_customer` are what is still to be paid and to be given back; `stuck` are calls that the
    gateway refused, with its code and the id of the request; `concerns`: a dispute, an early fraud warning, a
    review, a hold about to lapse.
    """
    parameters_once(request, {"limit", "cursor"})
    log = request.app.state.log
    page: OwedPage = await asyncio.to_thread(read_owed, log, after=int(cursor or 0), limit=limit)
    body = {"items": page.items, "next": None if page.next is None else str(page.next)}
    return Response(msgspec.json.encode(body), media_type="application/json")


@router.post(
    "/{order_id}/retry",
    summary="Try to settle a payment anew",
    **documented(AnswerBody, created=False, key="taken"),
)
async def retry_payment(request: Request, order_id: IdPath, body: RetryBody | None = None) -> Response:
    """Begins anew what is stuck; else asks for what the shop is owed, or gives back what it owes.

    Answered once the gateway has answered, or after a few seconds; what came of it is on the owed list.
    While the gateway is being asked already, nothing is begun.
    """
    command = RetryPayment(
        order_id=order_id, on=datetime.now(UTC).date(), method=(body or RetryBody()).method
    )
    return await answered_after_step(request, command, seconds=STEP_SECONDS_MAX)


@router.post(
    "/{order_id}/write-off",
    summary="Give up what is owed",
    **documented(AnswerBody, created=False, key="taken"),
)
async def write_off_payment(request: Request, order_id: IdPath, body: WriteOffBody | None = None) -> Response:
    """What is owed either way is given up, and concerns are done with: the order leaves the owed list."""
    command = WriteOffPayment(
        order_id=order_id, on=datetime.now(UTC).date(), reason=(body or WriteOffBody()).reason
    )
    return await answered(request, command)
