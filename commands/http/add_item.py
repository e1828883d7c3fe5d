"""Adding an item to a cart: the body, and the command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from aggregates.cart.items import Limits
from commands.handlers.cart import AddItem
from commands.http.responses import answered
from commands.http.schemas import Body, Quantity, SkuText


class ItemBody(Body):
    """Units of a product to be added."""

    sku: SkuText
    quantity: Quantity = 1


async def add_to_cart(request: Request, cart_id: str, item: ItemBody) -> Response:
    """The item in the cart, within the shop's limits."""
    settings = request.app.state.settings
    command = AddItem(
        cart_id=cart_id,
        sku=item.sku,
        quantity=item.quantity,
        limits=Limits(lines_max=settings.cart_lines_max, quantity_max=settings.line_quantity_max),
        at=(at := datetime.now(UTC)),
        locked_until=at + timedelta(seconds=settings.price_lock_seconds),
    )
    return await answered(request, command)
