"""The product page, which is requested more often than all the rest together.

FastAPI's own route for it, in `catalog`, documents it and serves every other method. This one comes before
FastAPI (`deploy.edge.first`) and takes GETs: no middleware, no parameter models, one read, the stored bytes.
Both end in `product_response`, or where a market is named in `market_response`.
"""

from __future__ import annotations

import re

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from deploy.edge.requests import parameters_once
from read_api.freshness import Freshness, Present, fresh_document, freshness_of
from read_api.market_prices import in_main_market, market_response
from read_api.problems import UNKNOWN_PRODUCT, unknown
from read_api.responses import answer
from read_api.stores import stores_of
from read_api.terms import MARKET_ID

_MARKET = re.compile(MARKET_ID)
_PREFIX = "/api/v1/products/"
_CHANGED_AT = b',"changed_at":"'


class ProductPageRoute(BaseRoute):
    """GET /api/v1/products/{sku}."""

    path = _PREFIX + "{sku}"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A GET below the prefix, one segment deep."""
        path: str = scope.get("path", "")
        if path.startswith(_PREFIX) and scope.get("method") == "GET":
            sku = path[len(_PREFIX) :]
            if sku and "/" not in sku:
                return Match.FULL, {"path_params": {"sku": sku}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope)
        market = None
        if scope["query_string"]:
            market = parameters_once(request, ("market",)).get("market")
            if market is not None and not _MARKET.fullmatch(market):
                wrong = {"type": "value_error", "loc": ("query", "market"), "msg": "is no market's id"}
                raise RequestValidationError([wrong])
        freshness = freshness_of(request.headers)
        sku = scope["path_params"]["sku"]
        if market is None:
            response = await product_response(request, sku, freshness)
        else:
            response = await market_response(request, sku, market, freshness)
        await response(scope, receive, send)


async def product_response(request: Request, sku: str, freshness: Freshness | None) -> Response:
    """The product page, also of what was delisted: orders lead to it."""
    found = await read_product(request, sku, freshness)
    return answer(found.document, found.position, request.headers, changed_at=_changed_at(found.document))


async def read_product(request: Request, sku: str, freshness: Freshness | None) -> Present:
    """The product page. Raises unknown-product."""
    found = await fresh_document(stores_of(request), "product", sku, freshness)
    if found.document is None or not is_listed(found.document):
        raise unknown(UNKNOWN_PRODUCT, found.position, sku=sku)
    (page,) = await in_main_market(stores_of(request), (found.document,))
    return Present(page, found.position)


def is_listed(page: bytes) -> bool:
    """Whether it was ever listed."""
    # Only a SKU that has stock and never was has no price; an attribute's value is never null.
    return b'"price":null' not in page


def _changed_at(page: bytes) -> str | None:
    """When the page last changed: the last member of this name, since an attribute may bear it too."""
    begins = page.rfind(_CHANGED_AT)
    if begins < 0:
        return None
    begins += len(_CHANGED_AT)
    return page[begins : page.find(b'"', begins)].decode()
