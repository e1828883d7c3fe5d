"""Routes on products and their prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from aggregates.catalog.events import ProductListed, ProductRevised
from aggregates.kernel import UnitPrice
from aggregates.pricing.rules import Tiers
from commands.handlers.catalog import (
    CancelPriceSchedule,
    ChangeListPrices,
    ChangePrice,
    DelistProduct,
    ListProduct,
    NewPrice,
    ReviseProduct,
)
from commands.http.json_bodies import JsonRoute
from commands.http.problems import PRICE_MISMATCH
from commands.http.product_bodies import (
    CancelScheduleBody,
    DelistBody,
    FactsBody,
    ListPricesBody,
    NewPriceBody,
    PriceAnswer,
    ProductBody,
    TierBody,
)
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.schemas import AnswerBody, IdPath, PriceBody, SkuPath
from commands.http.validation_errors import check_limit
from deploy.edge.problems import ProblemError
from event_store.ids import new_id

router = APIRouter(
    route_class=JsonRoute, prefix="/api/v1", tags=["products"], dependencies=[Depends(operator_only)]
)

_CHANGED: dict[str, Any] = documented(AnswerBody, created=False, key="taken")
_PRICED: dict[str, Any] = documented(PriceAnswer, created=False, key="taken")


@router.post("/products", summary="Put a product on sale", **documented(AnswerBody, key="taken"))
async def list_product(request: Request, body: ProductBody) -> Response:
    """The same facts again change nothing; other facts of a product on sale are a conflict."""
    price = _price(request, body.price, "price")
    return await answered(request, ListProduct(product=ProductListed(price=price, **_facts(body, body.sku))))


@router.put("/products/{sku}", summary="Revise a product", **_CHANGED)
async def revise_product(request: Request, sku: SkuPath, body: FactsBody) -> Response:
    """All facts but the price. Carts keep those that they took it with while its price is locked."""
    return await answered(request, ReviseProduct(product=ProductRevised(**_facts(body, sku))))


@router.post("/products/{sku}/price", summary="Change a price", **_PRICED)
async def change_price(request: Request, sku: SkuPath, body: NewPriceBody) -> Response:
    """At once, or in a window, which makes a schedule. Carts keep the price at which they took the product
    while it is locked."""
    if body.price is not None:
        tiers: Tiers = ((1, _price(request, body.price, "price").exact),)
        price = NewPrice(sku=sku, currency=body.price.currency, tiers=tiers, field="price.currency")
    else:
        price = _new_price(request, sku, body.tiers or [], "tiers")
    command = ChangePrice(
        price=price,
        now=datetime.now(UTC),
        schedule_id=new_id(),
        list_id=body.list_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    return await answered(request, command)


@router.post("/products/{sku}/price/cancel", summary="Cancel a price schedule", **_CHANGED)
async def cancel_price_schedule(request: Request, sku: SkuPath, body: CancelScheduleBody) -> Response:
    """It changes no price any more; a price that it gave until later is withdrawn now."""
    return await answered(request, CancelPriceSchedule(sku=sku, schedule_id=body.schedule_id))


@router.post("/price-lists/{list_id}/prices", summary="Change prices of a list", **_PRICED)
async def change_list_prices(request: Request, list_id: IdPath, body: ListPricesBody) -> Response:
    """All of them, or none. With a window they are one schedule, which each product can be taken out of."""
    command = ChangeListPrices(
        prices=tuple(
            _new_price(request, item.sku, item.tiers, f"items.{n}.tiers") for n, item in enumerate(body.items)
        ),
        now=datetime.now(UTC),
        schedule_id=new_id(),
        list_id=list_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    return await answered(request, command)


@router.post("/products/{sku}/delist", summary="Take a product off sale", **_CHANGED)
async def delist_product(request: Request, sku: SkuPath, body: DelistBody | None = None) -> Response:
    """What is in carts stays there, but cannot be checked out."""
    reason = (body or DelistBody()).reason
    return await answered(request, DelistProduct(sku=sku, reason=reason))


def _facts(body: FactsBody, sku: str) -> dict[str, Any]:
    facts = {name: getattr(body, name) for name in FactsBody.model_fields}
    ships = not body.gift_card if body.ships is None else body.ships
    return {"sku": sku, **facts, "ships": ships}


def _new_price(request: Request, sku: str, tiers: list[TierBody], field: str) -> NewPrice:
    exact = [_price(request, tier, f"{field}.{n}.amount").exact for n, tier in enumerate(tiers)]
    return NewPrice(
        sku=sku,
        currency=tiers[0].currency,
        tiers=tuple(zip((tier.start for tier in tiers), exact, strict=True)),
        field=f"{field}.0.currency",
    )


def _price(request: Request, body: PriceBody, field: str) -> UnitPrice:
    check_limit(request, "price_minor_max", body.amount, field)
    try:
        return body.unit_price()
    except ValueError as error:
        raise ProblemError(PRICE_MISMATCH) from error
