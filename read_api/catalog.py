"""Products: the page, the listing, the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field
from starlette.responses import Response

from deploy.edge.problems import INVALID_REQUEST, UNKNOWN_PARAMETER, ProblemError
from projections.documents.search import (
    CATEGORY_SEPARATOR,
    CurrencyNeededError,
    Page,
    PlaceExpiredError,
    ProductQuery,
    Suggestions,
    category_levels,
)
from projections.documents.shapes import ProductDocument
from projections.documents.text import is_blank
from read_api.cursors import cursor_of_place, place_of_cursor
from read_api.freshness import Freshness, read_fresh
from read_api.market_prices import in_main_market
from read_api.openapi import FoundProduct, documented, documented_list, documented_suggestions
from read_api.problems import CURRENCY_REQUIRED, CURSOR_EXPIRED, UNKNOWN_MARKET, UNKNOWN_PRODUCT
from read_api.product_forms import CURRENCY, Fields, Form, InCurrency, InMarket, fields_of, with_fields
from read_api.product_page import is_listed, page_response
from read_api.requests import ANY_NAME, TEXT, WRITTEN_IN_DIGITS, Cursor, Limit, Sku, WantedFreshness, typed
from read_api.responses import answer, listing, with_field
from read_api.stores import stores_of

router = APIRouter(prefix="/api/v1", tags=["catalog"])

_PRICE_MAX = 2**53 - 1  # what every JSON reader can hold exactly


def _category(typed_in: str) -> str:
    """The category as the index spells it, whatever the spaces around its separators."""
    levels = category_levels(typed(typed_in))
    if not levels or is_blank(levels[-1]):
        raise ValueError("is blank")
    return levels[-1]


Category = Annotated[
    Annotated[str, AfterValidator(_category)] | None,
    Query(
        min_length=1,
        max_length=500,
        json_schema_extra={
            "pattern": r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0>][^\x00-\x1f\x7f-\x9f]*$"
        },
        description=f'A path from the root: "Kitchen {CATEGORY_SEPARATOR} Mugs"; those below it count.',
    ),
]
Price = Annotated[
    Annotated[int, Field(ge=0, le=_PRICE_MAX)] | None,
    WRITTEN_IN_DIGITS,
    Query(description="Minor units, included; of the price in `currency`."),
]
Currency = Annotated[
    str | None,
    Query(
        pattern=CURRENCY,
        description="Products that have a price in this currency (ISO 4217). Bounds and an order by price are"
        " of what everybody pays in it; where products on sale have prices in several, such a request names"
        " one.",
    ),
]
Words = Annotated[
    Annotated[str, AfterValidator(typed)] | None,
    Query(
        max_length=500,
        json_schema_extra={"pattern": rf"^{TEXT}*$"},
        description="Words, as typed. All must be there, but for those that nothing has (`relaxed`); the last"
        " counts as begun, and a slip of the keys is forgiven.",
    ),
]
Typed = Annotated[
    Annotated[str, AfterValidator(typed)],
    Query(
        max_length=500,
        json_schema_extra={"pattern": rf"^{TEXT}*$"},
        description="What was typed so far: the last word counts as begun, a slip of the keys is forgiven.",
    ),
]
SuggestionsLimit = Annotated[
    int, Field(ge=1, le=50), WRITTEN_IN_DIGITS, Query(description="Suggestions of all kinds together.")
]
_ATTRIBUTE = "attribute."
_ATTRIBUTES_MAX = 20
"""Each is a facet that leaves its own filter out, and so a count over all the others."""
Attribute = Annotated[
    str | None,
    Query(
        alias=f"{_ATTRIBUTE}{ANY_NAME}",
        max_length=500,
        json_schema_extra={"pattern": rf"^{TEXT}*$"},
        description="Products whose attribute has just this value; an attribute's name stands for the star,"
        f" as in the facets: `attribute.color=red`. Up to {_ATTRIBUTES_MAX} narrow the search down.",
    ),
]
_SKUS_MAX = 100
_SKU = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
Skus = Annotated[
    str | None,
    Query(
        pattern=f"^{_SKU}(,{_SKU}){{0,{_SKUS_MAX - 1}}}$",
        description=f"Up to {_SKUS_MAX} SKUs, separated by commas: just these products.",
    ),
]
ListingSort = Literal["sku", "price_asc", "price_desc", "newest"]
SearchSort = Literal["relevance", "price_asc", "price_desc", "newest"]


@router.get(
    "/products/{sku}",
    summary="A product page",
    **documented(ProductDocument, UNKNOWN_PRODUCT, UNKNOWN_MARKET, in_part=True),
)
async def product(
    request: Request,
    sku: Sku,
    wanted: WantedFreshness,
    market: InMarket = None,
    currency: InCurrency = None,
    fields: Fields = None,
) -> Response:
    """The product with its price and the units for sale now; with a market or a currency, the price there."""
    return await page_response(request, sku, Form(market, currency, fields_of(fields)), wanted)


@router.get(
    "/products", summary="Products", **documented_list(ProductDocument, CURRENCY_REQUIRED, searched=True)
)
async def products(
    request: Request,
    wanted: WantedFreshness,
    sku: Skus = None,
    fields: Fields = None,
    category: Category = None,
    currency: Currency = None,
    sort: ListingSort = "sku",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Listed products, those of a category and below it where one is named.

    Or just those of the SKUs named, in their order, delisted ones too; then but `fields` nothing else may be
    asked for.
    """
    if sku is not None:
        if others := request.query_params.keys() - {"sku", "fields"}:
            refused = f"With sku, {min(others)} has no meaning."
            raise ProblemError(UNKNOWN_PARAMETER, refused, field=min(others))
        return await _named(request, list(dict.fromkeys(sku.split(","))), wanted, fields_of(fields))
    query = ProductQuery(category=category, currency=currency, sort=sort)
    return await _page(request, query, wanted, cursor, limit, fields=fields_of(fields))


@router.get(
    "/search",
    summary="Search for products",
    **documented_list(FoundProduct, CURRENCY_REQUIRED, searched=True),
)
async def search(
    request: Request,
    wanted: WantedFreshness,
    q: Words = None,
    category: Category = None,
    price_min: Price = None,
    price_max: Price = None,
    currency: Currency = None,
    in_stock: bool | None = None,
    attribute: Attribute = None,
    fields: Fields = None,
    sort: SearchSort = "relevance",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Each facet counts what there would be without its own filter, but with all the others.

    Products that have the words as typed come first, then those with the last one begun, then those with a
    slip, whatever the sort: it orders each of these kinds.
    """
    words = None if q is None or is_blank(q) else q
    query = ProductQuery(
        words=words,
        category=category,
        price_min=price_min,
        price_max=price_max,
        currency=currency,
        in_stock=in_stock,
        attributes=_attribute_filters(request),
        sort="sku" if sort == "relevance" and not words else sort,
    )
    return await _page(request, query, wanted, cursor, limit, fields=fields_of(fields), searched=True)


@router.get("/suggest", summary="Suggestions while typing", **documented_suggestions())
async def suggest(
    request: Request,
    wanted: WantedFreshness,
    q: Typed,
    limit: SuggestionsLimit = 10,
) -> Response:
    """Words of the catalogue that go on as typed, categories, products: those ordered most come first."""
    stores = stores_of(request)

    async def read() -> Suggestions:
        return await stores.index.suggest(q, limit=limit)

    found = await read_fresh(read, stores.wait_for_index, wanted, stores.settings.min_position_wait_seconds)
    return answer(msgspec.json.encode({"items": found.items}), found.position, request.headers)


async def _named(
    request: Request, skus: Sequence[str], wanted: Freshness | None, fields: Sequence[str] | None
) -> Response:
    """The pages of these SKUs that are there."""
    stores = stores_of(request)

    async def wait(position: int, seconds: float) -> int:
        return await stores.documents.wait_for("product", None, position, seconds)

    found = await read_fresh(
        lambda: stores.documents.documents("product", skus),
        wait,
        wanted,
        stores.settings.min_position_wait_seconds,
    )
    stored = [page for page in found.documents if page is not None and is_listed(page)]
    pages = _narrowed(await in_main_market(stores, stored), fields)
    return answer(
        listing(pages, None, total=len(pages), facets={}, facets_cut=[]), found.position, request.headers
    )


def _narrowed(pages: Sequence[bytes], fields: Sequence[str] | None) -> Sequence[bytes]:
    return pages if fields is None else [with_fields(page, fields) for page in pages]


def _attribute_filters(request: Request) -> tuple[tuple[str, str], ...]:
    """The filters by attribute, in one order. Raises invalid-request."""
    given = [(name, value) for name, value in request.query_params.items() if name.startswith(_ATTRIBUTE)]
    if len(given) > _ATTRIBUTES_MAX:
        raise ProblemError(INVALID_REQUEST, f"{len(given)} attributes; at most {_ATTRIBUTES_MAX} are taken.")
    try:
        return tuple(sorted((typed(name.removeprefix(_ATTRIBUTE)), typed(value)) for name, value in given))
    except ValueError as error:
        raise ProblemError(INVALID_REQUEST, f"An attribute's name or value {error}.") from error


async def _page(
    request: Request,
    query: ProductQuery,
    wanted: Freshness | None,
    cursor: str | None,
    limit: int,
    *,
    fields: Sequence[str] | None,
    searched: bool = False,
) -> Response:
    stores = stores_of(request)
    place = place_of_cursor(cursor, query, by_relevance=query.sort == "relevance")

    async def read() -> Page:
        return await stores.index.search(query, limit=limit, place=place)

    try:
        page = await read_fresh(
            read, stores.wait_for_index, wanted, stores.settings.min_position_wait_seconds
        )
    except PlaceExpiredError as error:
        raise ProblemError(CURSOR_EXPIRED) from error
    except CurrencyNeededError as error:
        raise ProblemError(CURRENCY_REQUIRED, currencies=list(error.currencies)) from error
    following = cursor_of_place(page.next, query)
    items, more = _narrowed(await in_main_market(stores, page.items), fields), {}
    if searched:
        pairs = zip(items, page.highlights, strict=True)
        items = [with_field(item, "highlights", marked) for item, marked in pairs]
        more = {"relaxed": page.relaxed, "did_you_mean": page.did_you_mean}
    body = listing(items, following, total=page.total, facets=page.facets, facets_cut=page.facets_cut, **more)
    return answer(body, page.position, request.headers)
