"""Routes that come before the framework, for what is sent more often than all the rest together, and for the
gateway's news, which are to be answered at once.

FastAPI's own route for each, in `cart`, `orders` and `payments`, documents it. These take what is plainly in
form: no middleware, no parameter models, one validation. Both call the same function.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from commands.gateways.stripe_events import WEBHOOK_PATH
from commands.http.add_item import ItemBody, add_to_cart
from commands.http.json_bodies import parse_json
from commands.http.order_bodies import CheckoutBody
from commands.http.orders import check_out
from commands.http.payments import take_news
from commands.http.schemas import ID, Body

B = TypeVar("B", bound=Body)


class CartRoute(BaseRoute, Generic[B]):
    """POST /api/v1/carts/{cart_id}/<part> with a body of JSON."""

    def __init__(
        self, part: str, body: type[B], respond: Callable[[Request, str, B], Awaitable[Response]]
    ) -> None:
        self.path = f"/api/v1/carts/{{cart_id}}/{part}"
        self._pattern = re.compile(rf"/api/v1/carts/({ID.strip('^$')})/{part}")
        self._body = body
        self._respond = respond

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A POST of JSON to the path."""
        in_form = scope.get("method") == "POST" and (b"content-type", b"application/json") in scope["headers"]
        if in_form and (found := self._pattern.fullmatch(scope["path"])):
            return Match.FULL, {"path_params": {"cart_id": found[1]}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        content = await request.body()
        if not content:
            raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
        try:
            body = self._body.model_validate(parse_json(content), from_attributes=True)  # as FastAPI does
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
            raise RequestValidationError(
                [fault | {"loc": ("body", *fault["loc"])} for fault in faults]
            ) from error
        response = await self._respond(request, scope["path_params"]["cart_id"], body)
        await response(scope, receive, send)


async def _check_out(request: Request, cart_id: str, body: CheckoutBody) -> Response:
    return await check_out(request, cart_id, body, request.headers.get("prefer"))


DIRECT_ROUTES: tuple[BaseRoute, ...] = (
    CartRoute("items", ItemBody, add_to_cart),
    CartRoute("checkout", CheckoutBody, _check_out),
    Route(WEBHOOK_PATH, take_news, methods=["POST"]),
)
