"""Routes on the rules of sale: the home, markets, tax areas, shipping methods, price lists, promotions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from aggregates.terms.promotions import Units
from commands.codec import CODEC
from commands.handlers.terms import (
    DefineMarket,
    DefinePriceList,
    DefinePromotion,
    DefineShippingMethod,
    DefineTaxArea,
    EndPriceList,
    EndPromotion,
    RetireMarket,
    RetireShippingMethod,
    RetireTaxArea,
    SetHome,
    SetTaxRates,
)
from commands.http.json_bodies import JsonRoute
from commands.http.promotion_bodies import PromotionBody
from commands.http.requests import operator_only
from commands.http.responses import PROBLEM, answered, documented
from commands.http.rule_bodies import (
    EndBody,
    HomeBody,
    MarketBody,
    PriceListBody,
    ShippingMethodBody,
    TaxAreaBody,
    TaxRatesBody,
)
from commands.http.schemas import ID, AnswerBody, Body, IdPath
from commands.settings import Settings
from commands.trial import Trial, try_promotion

router = APIRouter(
    route_class=JsonRoute, prefix="/api/v1", tags=["terms"], dependencies=[Depends(operator_only)]
)


class TryBody(Body):
    """The cart that a promotion is tried on."""

    cart_id: Annotated[str, Field(pattern=ID)]


_DEFINED: dict[str, Any] = documented(AnswerBody, key="taken")
_CHANGED: dict[str, Any] = documented(AnswerBody, created=False, key="taken")


@router.put("/home", summary="Say where the shop sells from", **_DEFINED)
async def set_home(request: Request, body: HomeBody) -> Response:
    """Its country and region decide which tax a sale bears; and whether listings' prices include it."""
    return await answered(request, SetHome(home=body.home()))


@router.post("/markets", summary="Sell in a market", **_DEFINED)
async def define_market(request: Request, body: MarketBody) -> Response:
    """A market of the same id is replaced. Markets may share countries: a cart names its own."""
    return await answered(request, DefineMarket(market=body.market()))


@router.post("/markets/{market_id}/retire", summary="Sell no more in a market", **_CHANGED)
async def retire_market(request: Request, market_id: IdPath) -> Response:
    """Refused while a price list, a promotion or a shipping method names it."""
    return await answered(request, RetireMarket(market_id=market_id))


@router.post("/tax-areas", summary="Tax an area", **_DEFINED)
async def define_tax_area(request: Request, body: TaxAreaBody) -> Response:
    """An area of the same id is replaced. Refused where another area holds for one of its places and neither
    is the narrower."""
    return await answered(request, DefineTaxArea(area=body.area(), keep_rates=body.rates is None))


@router.post("/tax-areas/{area_id}/rates", summary="Set the rates of a tax area", **_CHANGED)
async def set_tax_rates(request: Request, area_id: IdPath, body: TaxRatesBody) -> Response:
    """All of them: those that it had are replaced."""
    return await answered(request, SetTaxRates(area_id=area_id, rates=body.tax_rates()))


@router.post("/tax-areas/{area_id}/retire", summary="Tax an area no more", **_CHANGED)
async def retire_tax_area(request: Request, area_id: IdPath) -> Response:
    """Refused while a market's prices contain its tax."""
    return await answered(request, RetireTaxArea(area_id=area_id))


@router.post("/shipping-methods", summary="Offer a shipping method", **_DEFINED)
async def define_shipping_method(request: Request, body: ShippingMethodBody) -> Response:
    """A method of the same id is replaced."""
    return await answered(request, DefineShippingMethod(method=body.method()))


@router.post("/shipping-methods/{method_id}/retire", summary="Offer a shipping method no more", **_CHANGED)
async def retire_shipping_method(request: Request, method_id: IdPath) -> Response:
    """A cart that has chosen it needs another before it is checked out."""
    return await answered(request, RetireShippingMethod(method_id=method_id))


@router.post("/price-lists", summary="Open a price list", **_DEFINED)
async def define_price_list(request: Request, body: PriceListBody) -> Response:
    """Of a list that there is, the label and the window may change, and nothing else."""
    return await answered(request, DefinePriceList(price_list=body.price_list(), at=datetime.now(UTC)))


@router.post("/price-lists/{list_id}/end", summary="End a price list", **_CHANGED)
async def end_price_list(request: Request, list_id: IdPath) -> Response:
    """For good: its id is not given again. Its prices are withdrawn at once, product by product; what is
    scheduled on it is canceled."""
    return await answered(request, EndPriceList(list_id=list_id))


@router.post("/promotions", summary="Give a promotion", **_DEFINED)
async def define_promotion(request: Request, body: PromotionBody) -> Response:
    """A promotion of the same id is replaced. Refused where it could never apply, with the field."""
    settings: Settings = request.app.state.settings
    line = settings.line_quantity_max
    command = DefinePromotion(
        promotion=body.promotion(),
        units=Units(line=line, cart=line * settings.cart_lines_max),
        at=datetime.now(UTC),
    )
    return await answered(request, command)


@router.post("/promotions/{promotion_id}/end", summary="End a promotion", **_CHANGED)
async def end_promotion(request: Request, promotion_id: IdPath, body: EndBody | None = None) -> Response:
    """At once, whatever its window. Orders that have it keep it."""
    reason = (body or EndBody()).reason
    return await answered(request, EndPromotion(promotion_id=promotion_id, reason=reason))


@router.post(
    "/promotions/{promotion_id}/try",
    summary="Try a promotion on a cart",
    response_model=Trial,
    responses=dict.fromkeys((400, 401, 404, 405, 413, 415, 422, 429, 503), PROBLEM),
)
async def try_on_cart(request: Request, promotion_id: IdPath, body: TryBody) -> Response:
    """What the cart costs with the promotion and without it, both explained; nothing is changed.

    It may be running, by coupon, still to start (the cart is priced as of its start), or over: `assumes` says
    what does not hold today. `why`: why it gives this cart nothing even so.
    """
    trial = await asyncio.to_thread(
        try_promotion,
        request.app.state.log,
        CODEC,
        promotion_id=promotion_id,
        cart_id=body.cart_id,
        at=datetime.now(UTC),
    )
    return Response(msgspec.json.encode(trial), media_type="application/json")
