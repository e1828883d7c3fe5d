"""Adding an item to a cart, the command that is sent more often than all the rest together.

FastAPI's own route for it, in `cart`, documents it. This one comes before FastAPI (`deploy.edge.first`) and
takes what is plainly in form: no middleware, no parameter models, one validation. Both end in `add_to_cart`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from aggregates.cart.cart import Limits
from commands.handlers.cart import AddItem
from commands.http.json_bodies import parse_json
from commands.http.responses import answered
from commands.http.schemas import ID, Body, Quantity, SkuText

_PATH = re.compile(rf"/api/v1/carts/({ID.strip('^$')})/items")


class ItemBody(Body):
    """Units of a product to be added."""

    sku: SkuText
    quantity: Quantity = 1


class AddItemRoute(BaseRoute):
    """POST /api/v1/carts/{cart_id}/items with a body of JSON."""

    path = "/api/v1/carts/{cart_id}/items"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A POST of JSON to a cart's items."""
        in_form = scope.get("method") == "POST" and (b"content-type", b"application/json") in scope["headers"]
        if in_form and (found := _PATH.fullmatch(scope["path"])):
            return Match.FULL, {"route": self, "path_params": {"cart_id": found[1]}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        body = await request.body()
        if not body:
            raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
        try:
            item = ItemBody.model_validate(parse_json(body), from_attributes=True)  # as FastAPI does
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
            raise RequestValidationError(
                [fault | {"loc": ("body", *fault["loc"])} for fault in faults]
            ) from error
        response = await add_to_cart(request, scope["path_params"]["cart_id"], item)
        await response(scope, receive, send)


async def add_to_cart(request: Request, cart_id: str, item: ItemBody) -> Response:
    """The item in the cart, within the shop's limits."""
    settings = request.app.state.settings
    command = AddItem(
        cart_id=cart_id,
        sku=item.sku,
        quantity=item.quantity,
        limits=Limits(lines_max=settings.cart_lines_max, quantity_max=settings.line_quantity_max),
        locked_until=datetime.now(UTC) + timedelta(seconds=settings.price_lock_seconds),
    )
    return await answered(request, command)
