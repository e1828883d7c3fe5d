"""Routes on products."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from aggregates import text
from aggregates.catalog.events import ProductListed
from aggregates.kernel import UnitPrice
from commands.handlers.catalog import ChangePrice, DelistProduct, ListProduct
from commands.http.json_bodies import JsonRoute
from commands.http.problems import PRICE_MISMATCH
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.schemas import AnswerBody, Body, Line, PriceBody, Reason, SkuPath, SkuText, a_text
from commands.http.validation_errors import check_limit
from deploy.edge.problems import ProblemError

router = APIRouter(
    route_class=JsonRoute, prefix="/api/v1/products", tags=["products"], dependencies=[Depends(operator_only)]
)

Category = Annotated[
    str,
    *a_text(text.category, text.CATEGORY, characters_max=200),
    Field(description=f"1 to {text.LEVELS_MAX} levels joined by ` > `", examples=["Kitchen > Mugs"]),
]
AttributeName = Annotated[str, *a_text(text.line, text.LINE, characters_max=60)]


def _each_once(attributes: object) -> object:
    """Names that are spelt alike are one name."""
    if isinstance(attributes, dict):
        names = [text.line(name) for name in attributes if isinstance(name, str)]
        if len(set(names)) < len(names):
            raise ValueError("names an attribute twice")
    return attributes


class ProductBody(Body):
    """A product to be put on sale."""

    sku: SkuText
    title: Line
    description: Annotated[str, *a_text(text.prose, text.PROSE, characters_max=10_000, characters_min=0)] = ""
    category: Category
    attributes: Annotated[
        dict[AttributeName, Line],
        BeforeValidator(_each_once),
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
    listed = ProductListed(
        sku=body.sku,
        title=body.title,
        description=body.description,
        category=body.category,
        attributes=body.attributes,
        price=_price(request, body.price),
        seller=body.seller,
    )
    return await answered(request, ListProduct(product=listed))


@router.post("/{sku}/price", summary="Change a price", **documented(AnswerBody, created=False, key="taken"))
async def change_price(request: Request, sku: SkuPath, body: NewPriceBody) -> Response:
    """Carts keep the price at which they took the product."""
    price = _price(request, body.price)
    return await answered(request, ChangePrice(sku=sku, currency=price.currency, tiers=((1, price.exact),)))


@router.post(
    "/{sku}/delist", summary="Take a product off sale", **documented(AnswerBody, created=False, key="taken")
)
async def delist_product(request: Request, sku: SkuPath, body: DelistBody | None = None) -> Response:
    """What is in carts stays there, but cannot be checked out."""
    reason = (body or DelistBody()).reason
    return await answered(request, DelistProduct(sku=sku, reason=reason))


def _price(request: Request, body: PriceBody) -> UnitPrice:
    check_limit(request, "price_minor_max", body.amount, "price")
    try:
        return body.unit_price()
    except ValueError as error:
        raise ProblemError(PRICE_MISMATCH) from error
