"""The rules of sale that pages need: markets, ways to ship, promotions; and price lists, for the operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from deploy.edge.problems import TOKEN_REQUIRED
from projections.documents.shapes import (
    AnnouncedPromotion,
    Market,
    PriceListHead,
    PromotionHead,
    ShippingMethod,
    TermsDocument,
)
from read_api.access import operator_only
from read_api.cursors import cursor_of_id, id_of_cursor
from read_api.freshness import Freshness, read_fresh
from read_api.openapi import documented_list
from read_api.problems import UNKNOWN_MARKET, unknown
from read_api.requests import Cursor, Limit, WantedFreshness
from read_api.responses import Cache, answer, listing
from read_api.stores import Stores, stores_of

router = APIRouter(prefix="/api/v1", tags=["rules of sale"])

MAIN_MARKET = "main"
"""The market of a cart that names none. Where no rule defines it, it is for every country."""

MARKET_ID = r"^[A-Za-z0-9_-]{1,64}$"
MarketId = Annotated[
    str,
    Query(
        alias="market",
        pattern=MARKET_ID,
        description="A market's id; `main` is that of a cart that names none.",
    ),
]
Country = Annotated[
    str | None, Query(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2: where the order is to go.")
]

Rule = TypeVar("Rule")

_decode = msgspec.json.Decoder(TermsDocument).decode
_encode = msgspec.json.Encoder().encode


class Terms(msgspec.Struct, frozen=True):
    """The rules of sale of some kinds, and where the view stood."""

    documents: list[TermsDocument]
    position: int


async def read_terms(stores: Stores, *kinds: str) -> Terms:
    """The rules of these kinds, in their order; of a kind that has none an empty document."""
    read = await stores.documents.documents("terms", kinds)
    documents = [
        TermsDocument(position=0) if document is None else _decode(document) for document in read.documents
    ]
    return Terms(documents, read.position)


def market_of(markets: TermsDocument, market_id: str, position: int) -> Market | None:
    """The market, None for `main` where no rule defines it. Raises unknown-market."""
    for market in markets.markets:
        if market.market_id == market_id:
            return market
    if market_id != MAIN_MARKET:
        raise unknown(UNKNOWN_MARKET, position, market=market_id)
    return None


@router.get("/markets", summary="Markets", **documented_list(Market))
async def markets(
    request: Request, wanted: WantedFreshness, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Whom prices are for, by id. A cart names one of them, or it is in `main`."""
    (found,), position = await _fresh(request, wanted, "markets")
    return _page(request, found.markets, lambda one: one.market_id, "markets", position, cursor, limit)


@router.get("/shipping-methods", summary="Ways to ship", **documented_list(ShippingMethod, UNKNOWN_MARKET))
async def shipping_methods(
    request: Request,
    wanted: WantedFreshness,
    market_id: MarketId = MAIN_MARKET,
    country: Country = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """A market's, by id; with a country those that go to some part of it. Which fit a cart, and for how much,
    its delivery says."""
    (known, found), position = await _fresh(request, wanted, "markets", "shipping_methods")
    market = market_of(known, market_id, position)
    sold = country is None or market is None or country in market.countries
    fit = [
        method
        for method in found.shipping_methods
        if sold and (not method.markets or market_id in method.markets) and _goes_to(method, country)
    ]
    query = ("shipping_methods", market_id, country)
    return _page(request, fit, lambda one: one.method_id, query, position, cursor, limit)


@router.get("/promotions", summary="Promotions that run", **documented_list(AnnouncedPromotion))
async def promotions(
    request: Request, wanted: WantedFreshness, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Those that are announced, need no coupon and have begun, by id."""
    (found,), position = await _fresh(request, wanted, "promotions")
    shown = [_announced(one) for one in found.promotions if one.running and one.automatic and one.announce]
    return _page(request, shown, lambda one: one.promotion_id, "promotions", position, cursor, limit)


@router.get(
    "/price-lists",
    summary="Price lists",
    dependencies=[Depends(operator_only)],
    **documented_list(PriceListHead, TOKEN_REQUIRED),
)
async def price_lists(
    request: Request, wanted: WantedFreshness, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Whom each list is for, by id; without `base`, that of products' own prices. For the operator."""
    (found,), position = await _fresh(request, wanted, "price_lists")
    return _page(
        request,
        *(found.price_lists, lambda one: one.list_id, "price_lists", position, cursor, limit),
        cache="holder",
    )


async def _fresh(request: Request, wanted: Freshness | None, *kinds: str) -> tuple[list[TermsDocument], int]:
    stores = stores_of(request)

    async def wait(position: int, seconds: float) -> int:
        return await stores.documents.wait_for("terms", None, position, seconds)

    found = await read_fresh(
        lambda: read_terms(stores, *kinds), wait, wanted, stores.settings.min_position_wait_seconds
    )
    return found.documents, found.position


def _page(
    request: Request,
    rules: Sequence[Rule],
    id_of: Callable[[Rule], str],
    query: object,
    position: int,
    cursor: str | None,
    limit: int,
    *,
    cache: Cache = "shared",
) -> Response:
    """The rules after the cursor's id. They stand in the order of their ids."""
    after = id_of_cursor(cursor, query)
    left = [rule for rule in rules if id_of(rule) > after]
    shown = left[:limit]
    following = cursor_of_id(id_of(shown[-1]) if len(left) > limit else None, query)
    body = listing(map(_encode, shown), following)
    return answer(body, position, request.headers, cache=cache)


def _goes_to(method: ShippingMethod, country: str | None) -> bool:
    if country is None:
        return True
    if method.points and all(point.country != country for point in method.points):
        return False
    return not method.zones or any(zone.country == country for zone in method.zones)


def _announced(head: PromotionHead) -> AnnouncedPromotion:
    return AnnouncedPromotion(head.promotion_id, head.label, head.markets, head.starts_at, head.ends_at)
