"""Routes on carts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from aggregates.cart.items import Limits
from aggregates.pricing.rules import MAIN_MARKET
from aggregates.promotions.coupon import UnknownCoupon
from commands.handlers.cart import (
    ChooseDelivery,
    ChooseGift,
    DeclineGift,
    EnterCoupon,
    OpenCart,
    QuoteCart,
    RemoveCoupon,
    RemoveItem,
    SetQuantity,
)
from commands.http.add_item import ItemBody, add_to_cart
from commands.http.addresses import Country
from commands.http.guesses import Guesses
from commands.http.json_bodies import JsonRoute
from commands.http.problems import SKU_MISMATCH
from commands.http.provider_quotes import answered_with_quotes
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.rule_values import CodePath, CouponCode, Region, RuleId
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
    market: RuleId = MAIN_MARKET
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$", examples=["en-GB"])] | None = None


class QuantityBody(Body):
    """How many units the line is to hold; 0 removes it. `sku`, where given, must be the path's."""

    quantity: Annotated[int, Field(ge=0, le=QUANTITY_MAX), INTEGRAL]
    sku: SkuText | None = None


class EnteredCouponBody(Body):
    """A coupon's code."""

    code: CouponCode


class DeliveryBody(Body):
    """Where a cart is to go, and by which of the shop's shipping methods."""

    country: Country
    region: Region | None = None
    postal_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{1,12}$", examples=["LS1 4AP"])] | None = None
    method_id: RuleId | None = None
    pickup_point: RuleId | None = None


class GiftBody(Body):
    """Which of a promotion's gifts."""

    sku: SkuText | None = None


@router.post("", summary="Take a cart", **documented(AnswerBody, key="taken", for_some=True))
async def open_cart(request: Request, body: CartBody) -> Response:
    """The answer's `id` is the cart's: any client that knows it may use the cart.

    Where an operator token is set, only the operator may name the cart's customer.
    """
    if body.customer_id is not None:
        operator_only(request)
    command = OpenCart(
        cart_id=new_id(),
        currency=body.currency,
        customer_id=body.customer_id,
        market=body.market,
        locale=body.locale,
    )
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
        **_times(request),
    )
    return await answered(request, command)


@router.delete(
    "/{cart_id}/items/{sku}",
    summary="Take a product out",
    **documented(AnswerBody, created=False, key="none"),
)
async def remove_item(request: Request, cart_id: IdPath, sku: SkuPath) -> Response:
    """What is not there needs no removing."""
    return await answered(request, RemoveItem(cart_id=cart_id, sku=sku, **_times(request)))


@router.post(
    "/{cart_id}/coupons",
    summary="Enter a coupon",
    **documented(AnswerBody, created=False, key="taken", statuses=(429,)),
)
async def enter_coupon(request: Request, cart_id: IdPath, body: EnteredCouponBody) -> Response:
    """Whether it applies, and if not why, stands in the cart's notices. Unknown, ended and revoked codes are
    refused alike; a client with many wrong ones is refused for a minute."""
    command = EnterCoupon(
        cart_id=cart_id,
        code=body.code,
        coupons_max=request.app.state.settings.coupons_max,
        **_times(request),
    )
    guesses: Guesses = request.app.state.guesses
    async with guesses.guess(request, UnknownCoupon):
        return await answered(request, command)


@router.delete(
    "/{cart_id}/coupons/{code}",
    summary="Take a coupon out",
    **documented(AnswerBody, created=False, key="none"),
)
async def remove_coupon(request: Request, cart_id: IdPath, code: CodePath) -> Response:
    """What is not there needs no removing."""
    return await answered(request, RemoveCoupon(cart_id=cart_id, code=code, **_times(request)))


@router.put(
    "/{cart_id}/delivery", summary="Choose a delivery", **documented(AnswerBody, created=False, key="none")
)
async def choose_delivery(request: Request, cart_id: IdPath, body: DeliveryBody) -> Response:
    """Where it goes decides on tax and on what shipping costs. Of the postal code the cart keeps no more than
    rules ask for. An outside provider of tax or of the method's price is asked before this is answered; where
    it is away the delivery is chosen nevertheless, and the same request asks again."""
    command = ChooseDelivery(
        cart_id=cart_id,
        country=body.country,
        region=body.region,
        postal_code=body.postal_code,
        method_id=body.method_id,
        pickup_point=body.pickup_point,
        **_times(request),
    )
    return await answered_with_quotes(request, command)


@router.put(
    "/{cart_id}/gifts/{promotion_id}",
    summary="Choose a gift",
    **documented(AnswerBody, created=False, key="none"),
)
async def choose_gift(
    request: Request, cart_id: IdPath, promotion_id: IdPath, body: GiftBody | None = None
) -> Response:
    """One of those that the promotion gives: the first where none is named."""
    command = ChooseGift(
        cart_id=cart_id, promotion_id=promotion_id, sku=(body or GiftBody()).sku, **_times(request)
    )
    return await answered(request, command)


@router.delete(
    "/{cart_id}/gifts/{promotion_id}",
    summary="Decline a gift",
    **documented(AnswerBody, created=False, key="none"),
)
async def decline_gift(request: Request, cart_id: IdPath, promotion_id: IdPath) -> Response:
    """The promotion's gift is left out until it is chosen again."""
    return await answered(request, DeclineGift(cart_id=cart_id, promotion_id=promotion_id, **_times(request)))


@router.post("/{cart_id}/quote", summary="Quote a cart", **documented(AnswerBody, created=False, key="taken"))
async def quote_cart(request: Request, cart_id: IdPath) -> Response:
    """Every line takes the price of this moment, and holds it anew. The cart shows what it costs then.
    Outside providers are asked as for a delivery."""
    return await answered_with_quotes(request, QuoteCart(cart_id=cart_id, **_times(request)))


def _times(request: Request) -> dict[str, datetime]:
    """When the cart is priced, and until when new prices hold."""
    now = datetime.now(UTC)
    return {
        "at": now,
        "locked_until": now + timedelta(seconds=request.app.state.settings.price_lock_seconds),
    }
