"""The product page, which is requested more often than all the rest together.

FastAPI's own route for it, in `catalog`, documents it and serves every other method. This one comes before
FastAPI (`deploy.edge.first`) and takes GETs: no middleware, no parameter models, one read, the stored bytes.
Both end in `page_response`: of the stored bytes, or of a form of the page that is composed of them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from deploy.edge.requests import parameters_once
from read_api.freshness import Freshness, Present, fresh_document, freshness_of
from read_api.market_prices import in_main_market, page_in_market
from read_api.problems import UNKNOWN_PRODUCT, unknown
from read_api.product_forms import PARAMETERS, PLAIN, Form, form_of, with_fields
from read_api.responses import answer
from read_api.stores import stores_of
from read_api.terms import MAIN_MARKET

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
        form = form_of(parameters_once(request, PARAMETERS)) if scope["query_string"] else PLAIN
        response = await page_response(
            request, scope["path_params"]["sku"], form, freshness_of(request.headers)
        )
        await response(scope, receive, send)


async def page_response(request: Request, sku: str, form: Form, freshness: Freshness | None) -> Response:
    """The product page in this form, also of what was delisted: orders lead to it."""
    if form.market is None and form.currency is None:
        found = await read_product(request, sku, freshness)
        changed_at = _changed_at(found.document)
    else:
        market = form.market or MAIN_MARKET
        found = await page_in_market(stores_of(request), sku, market, form.currency, freshness)
        changed_at = None  # What is shown depends on the rules of sale, too.
    body = found.document if form.fields is None else with_fields(found.document, form.fields)
    return answer(body, found.position, request.headers, changed_at=changed_at)


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
