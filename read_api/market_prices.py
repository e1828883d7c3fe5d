"""A product's price in one market: chosen when its page is read, by the function that chooses it for carts.

The page's view knows no rules of sale, and the rules' view no products: what everybody in the market pays
follows from both, and the prior price from the history of the lists that count there. A page without a market
is that of `main`, as it is stored: only where its prior price depends on what the market says are the rules
read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from aggregates.kernel import Money, UnitPrice
from aggregates.pricing import rules
from aggregates.pricing.offer import ListPrice
from aggregates.pricing.selecting import LOOK_BACK, Chosen, Point, choose, prior_price, unit_price
from projections.documents import shapes
from projections.documents.shapes import PriceHistoryDocument, PricePoint, PriceSeries, ProductDocument
from read_api.freshness import Freshness, Present, read_fresh
from read_api.problems import UNKNOWN_PRODUCT, unknown
from read_api.stores import Stores
from read_api.terms import MAIN_MARKET, market_of, read_terms

_EVERYWHERE = shapes.Market(
    market_id=MAIN_MARKET,
    label="",
    countries=[],
    currencies=[],
    locales=[],
    tax_pricing="inclusive",
    shipping_tax="proportional",
    reference_area=None,
    progressive=False,
)
"""The market `main` where no rule defines it: in any currency."""

_PROGRESSIVE = b'"progressive_prior_price":{'

_page = msgspec.json.Decoder(ProductDocument).decode
_history = msgspec.json.Decoder(PriceHistoryDocument).decode


class _Found(msgspec.Struct, frozen=True):
    page: bytes | None
    history: bytes | None
    markets: shapes.TermsDocument
    position: int


async def page_in_market(
    stores: Stores, sku: str, market_id: str, currency: str | None, wanted: Freshness | None
) -> Present:
    """The product page with the prices of the market, in this currency where one is named.

    Raises unknown-product, unknown-market.
    """

    async def wait(position: int, seconds: float) -> None:
        await asyncio.gather(
            stores.documents.wait_for("product", sku, position, seconds),
            stores.documents.wait_for("price_history", sku, position, seconds),
            stores.documents.wait_for("terms", None, position, seconds),
        )

    found = await read_fresh(
        lambda: _read(stores, sku), wait, wanted, stores.settings.min_position_wait_seconds
    )
    if found.page is None or found.history is None or b'"price":null' in found.page:
        raise unknown(UNKNOWN_PRODUCT, found.position, sku=sku)
    market = market_of(found.markets, market_id, found.position)
    if market is None and currency is None:
        return Present(found.page, found.position)
    page = in_market(_page(found.page), _history(found.history), market or _EVERYWHERE, currency)
    return Present(msgspec.json.encode(page), found.position)


async def _read(stores: Stores, sku: str) -> _Found:
    page, history, terms = await asyncio.gather(
        stores.documents.document("product", sku),
        stores.documents.document("price_history", sku),
        read_terms(stores, "markets"),
    )
    (markets,) = terms.documents
    position = min(page.position, history.position, terms.position)
    return _Found(page.document, history.document, markets, position)


async def in_main_market(stores: Stores, pages: Sequence[bytes]) -> Sequence[bytes]:
    """The stored pages with the prior price of the market `main`."""
    if not any(_PROGRESSIVE in page for page in pages):
        return pages
    terms = await read_terms(stores, "markets")
    market = market_of(terms.documents[0], MAIN_MARKET, terms.position)
    if market is None or not market.progressive:
        return pages
    return [_progressive(page) if _PROGRESSIVE in page else page for page in pages]


def _progressive(page: bytes) -> bytes:
    product = _page(page)
    if product.progressive_prior_price is None:  # a text of the page looks like the field
        return page
    product.prior_price, product.progressive_prior_price = product.progressive_prior_price, None
    return msgspec.json.encode(product)


def in_market(
    page: ProductDocument,
    history: PriceHistoryDocument,
    market: shapes.Market,
    named_currency: str | None = None,
) -> ProductDocument:
    """The page with what everybody in the market pays, in this currency; None: in the market's first."""
    head = rules.Market(
        market_id=market.market_id,
        countries=(),
        currencies=(),
        tax_pricing="exclusive" if market.tax_pricing == "exclusive" else "inclusive",
    )

    def counts(one: shapes.ListPrice | PriceSeries) -> bool:
        return one.tax_included == head.tax_included and (not one.markets or market.market_id in one.markets)

    currency = named_currency or market.currencies[0]
    shown = market.currencies if named_currency is None else [currency]
    if market.currencies and currency not in market.currencies:
        shown = []
    page.prices = [one for one in page.prices if one.currency in shown and counts(one)]
    chosen = choose((_offered(one, _tiers(one)) for one in page.prices), currency, head, (), 1)
    page.price = page.was = page.prior_price = page.progressive_prior_price = None
    if chosen is not None:
        page.price = _shown(unit_price(chosen.tiers, 1), currency)
        page.was = None if chosen.was is None else _shown(chosen.was, currency)
    series = [one for one in history.series if one.currency == currency and shown and counts(one)]
    points = _points(series, currency, head)
    prior = prior_price(points, progressive=market.progressive)
    page.prior_price = None if prior is None or page.price is None else shapes.Money(prior, currency)
    page.price_points = [PricePoint(point.since, point.amount) for point in _recent(points)]
    return page


def _points(series: Iterable[PriceSeries], currency: str, head: rules.Market) -> list[Point]:
    """What one unit cost everybody, from each moment on at which that changed."""
    changes = sorted(
        ((point.since, n, one, point.amount) for one in series for n, point in enumerate(one.points)),
        key=lambda change: change[:2],
    )
    held: dict[str, ListPrice] = {}
    points: list[Point] = []
    for since, _, one, amount in changes:
        held.pop(one.list_id, None)
        if amount is not None:
            held[one.list_id] = _offered(one, ((1, Decimal(amount)),))
        chosen = choose(held.values(), currency, head, (), 1)
        now = _amount(chosen)
        if points and points[-1].since == since:
            points.pop()
        if not points or points[-1].amount != now:
            points.append(Point(since, now))
    return points


def _recent(points: list[Point]) -> list[Point]:
    """Those that held in the 30 days before the last."""
    if not points:
        return []
    start = points[-1].since - LOOK_BACK
    return points[max((n for n, point in enumerate(points) if point.since <= start), default=0) :]


def _amount(chosen: Chosen | None) -> int | None:
    return None if chosen is None else int(unit_price(chosen.tiers, 1))


def _offered(one: shapes.ListPrice | PriceSeries, tiers: rules.Tiers) -> ListPrice:
    head = rules.PriceList(
        list_id=one.list_id,
        currency=one.currency,
        kind="sale" if one.kind == "sale" else "override",
        markets=tuple(one.markets),
        tax_included=one.tax_included,
        priority=one.priority,
    )
    return ListPrice(price_list=head, tiers=tiers)


def _tiers(one: shapes.ListPrice) -> rules.Tiers:
    return tuple(
        (
            tier.start,
            Decimal(tier.exact)
            if tier.exact is not None
            else UnitPrice.of(Money(tier.amount, tier.currency)).exact,
        )
        for tier in one.tiers
    )


def _shown(exact: Decimal, currency: str) -> shapes.UnitPrice:
    price = UnitPrice(exact, currency)
    fine = None if price.is_whole else format(exact.normalize(), "f")
    return shapes.UnitPrice(price.times(1).amount, currency, fine)
