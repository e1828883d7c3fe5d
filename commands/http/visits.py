"""Routes on visits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from commands.handlers.visits import ViewProduct
from commands.http.json_bodies import JsonRoute
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.schemas import AnswerBody, Body, CustomerId, SkuText

router = APIRouter(route_class=JsonRoute, prefix="/api/v1/visits", tags=["visits"])

VisitPath = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_-]{22,64}$",
        description="The visit's id, which the client makes, of at least 122 random bits: a random UUID has"
        " as many. Any client that knows it sees what was looked at.",
        examples=["5f0c6f0e-6d2b-4c41-9a53-0f6f1c1f8a37"],
    ),
]


class ViewBody(Body):
    """Which product's page was looked at."""

    sku: SkuText
    customer_id: CustomerId | None = None


@router.post(
    "/{visit_id}/views", summary="Count a view", **documented(AnswerBody, key="taken", for_some=True)
)
async def view_product(request: Request, visit_id: VisitPath, body: ViewBody) -> Response:
    """A visit begins with its first view. A view of the product that was looked at last changes nothing.

    Where an operator token is set, only the operator may name the visit's customer.
    """
    if body.customer_id is not None:
        operator_only(request)
    command = ViewProduct(
        visit_id=visit_id,
        sku=body.sku,
        customer_id=body.customer_id,
        views_max=request.app.state.settings.visit_views_max,
    )
    return await answered(request, command)
