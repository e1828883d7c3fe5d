"""Routes on products."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from aggregates.kernel import UnitPrice
from commands.catalog import ChangePrice, DelistProduct, ListProduct
from commands.http.answers import answered, documented
from commands.http.json_bodies import JsonRoute
from commands.http.limits import within
from commands.http.problems import PRICE_MISMATCH
from commands.http.requests import RefusedRequest, operator_only
from commands.http.shapes import PRINTABLE_LINE, AnswerBody, Body, Line, PriceBody, Reason, SkuPath, SkuText

router = APIRouter(
    route_class=JsonRoute, prefix="/api/v1/products", tags=["products"], dependencies=[Depends(operator_only)]
)

LEVELS_MAX = 8


_LEVEL = r"[^\x00-\x20\x7f>](?:[^\x00-\x1f\x7f>]*[^\x00-\x20\x7f>])?"
Category = Annotated[
    str,
    Field(
        pattern=rf"^{_LEVEL}(?: > {_LEVEL}){{0,{LEVELS_MAX - 1}}}$",
        max_length=200,
        description=f"1 to {LEVELS_MAX} levels joined by ` > `",
        examples=["Kitchen > Mugs"],
    ),
]


class ProductBody(Body):
    """A product to be put on sale."""

    sku: SkuText
    title: Line
    description: Annotated[str, Field(max_length=10_000)] = ""
    category: Category
    attributes: Annotated[
        dict[Annotated[str, Field(pattern=PRINTABLE_LINE, max_length=60)], Line],
        Field(max_length=50, json_schema_extra={"additionalProperties": False}, examples=[{"color": "blue"}]),
    ] = Field(default={})
    price: PriceBody
    seller: Line = "main"


class NewPriceBody(Body):
    """The price from now on."""

    price: PriceBody


class DelistBody(Body):
    """Why the product leaves the shop."""

    reason: Reason = "delisted"


@router.post("", summary="Put a product on sale", **documented(AnswerBody, key="taken"))
async def list_product(request: Request, body: ProductBody) -> Response:
    """The same facts again change nothing; other facts of a product on sale are a conflict."""
    command = ListProduct(
        sku=body.sku,
        title=body.title,
        description=body.description,
        category=body.category,
        attributes=body.attributes,
        price=_price(request, body.price),
        seller=body.seller,
    )
    return await answered(request, command)


@router.post("/{sku}/price", summary="Change a price", **documented(AnswerBody, created=False, key="taken"))
async def change_price(request: Request, sku: SkuPath, body: NewPriceBody) -> Response:
    """Carts keep the price at which they took the product."""
    return await answered(request, ChangePrice(sku=sku, price=_price(request, body.price)))


@router.post(
    "/{sku}/delist", summary="Take a product off sale", **documented(AnswerBody, created=False, key="taken")
)
async def delist_product(request: Request, sku: SkuPath, body: DelistBody | None = None) -> Response:
    """What is in carts stays there, but cannot be checked out."""
    reason = (body or DelistBody()).reason
    return await answered(request, DelistProduct(sku=sku, reason=reason))


def _price(request: Request, body: PriceBody) -> UnitPrice:
    within(request, "price_minor_max", body.amount, "price")
    try:
        return body.unit_price()
    except ValueError as error:
        raise RefusedRequest(PRICE_MISMATCH) from error
