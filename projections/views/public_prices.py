"""What everybody pays for a product: the prices of public lists, the choice among them, the prior price.

Public is a list that asks for no customer group; it may be for some markets only. The rules of sale are no
part of the fold: what a page shows is the choice in the market `main`, whose prices contain tax as the base
price does. The choice in another market is made when its page is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from aggregates.catalog.events import PriceChanged, PriceWithdrawn, ProductListed
from aggregates.kernel import Money, UnitPrice
from aggregates.pricing import offer
from aggregates.pricing.rules import BASE, MAIN_MARKET, Market, PriceList, Tiers
from aggregates.pricing.selecting import LOOK_BACK, Point, choose, first_step, prior_price, reaches
from aggregates.pricing.selecting import unit_price as price_of
from projections.documents import shapes
from projections.views.amounts import unit_price

POINTS_MAX = 500
"""How many changes are remembered, the latest."""
_INCLUSIVE = Market(market_id=MAIN_MARKET, countries=(), currencies=())
_EXCLUSIVE = replace(_INCLUSIVE, tax_pricing="exclusive")

PriceEvent = ProductListed | PriceChanged | PriceWithdrawn


def is_public(price_list: PriceList) -> bool:
    """Whether its prices are for everybody in its markets."""
    return not price_list.customer_groups


def price(document: shapes.ProductDocument, event: PriceEvent, at: datetime) -> None:
    """Prices the page after the event, which happened at this moment."""
    match event:
        case ProductListed(price=own):
            # The listing's currency comes first: it is the page's.
            listed = _shown(PriceList(list_id=BASE, currency=own.currency), ((1, own.exact),))
            document.prices = [listed, *_without(document, BASE, own.currency)]
        case PriceChanged(list=price_list, currency=currency, tiers=tiers):
            if not is_public(price_list):
                return
            shown = _shown(price_list, tiers)
            for n, known in enumerate(document.prices):
                if (known.list_id, known.currency) == (price_list.list_id, currency):
                    document.prices[n] = shown
                    break
            else:
                document.prices.append(shown)
        case PriceWithdrawn(list_id=list_id, currency=currency):
            document.prices = _without(document, list_id, currency)
    _choose(document, at)


def _choose(document: shapes.ProductDocument, at: datetime) -> None:
    before = document.price
    currency = next((one.currency for one in document.prices if one.list_id == BASE), "")
    offered = [_offered(one) for one in document.prices]
    base = [one for one in offered if one.price_list.list_id == BASE and one.price_list.currency == currency]
    includes_tax = not base or base[0].price_list.tax_included
    chosen = choose(offered, currency, _INCLUSIVE if includes_tax else _EXCLUSIVE, (), 1)
    document.price = document.was = None
    if chosen is not None:
        document.price = unit_price(UnitPrice(price_of(chosen.tiers, 1), currency))
        if chosen.was is not None:
            document.was = unit_price(UnitPrice(chosen.was, currency))
    if before is not None and document.price is not None and before.currency != document.price.currency:
        document.price_points = []
    _note(document, at)


def _note(document: shapes.ProductDocument, at: datetime) -> None:
    """Where the price changed: names the prior price, and forgets what no later fall can look back to."""
    amount = None if document.price is None else document.price.amount
    points = document.price_points
    if points and points[-1].amount == amount:
        return
    append_point(points, amount, at)
    changes = [Point(point.since, point.amount) for point in points]
    currency = "" if document.price is None else document.price.currency
    prior, progressive = prior_price(changes), prior_price(changes, progressive=True)
    document.prior_price = None if prior is None else shapes.Money(prior, currency)
    document.progressive_prior_price = (
        None if progressive is None or progressive == prior else shapes.Money(progressive, currency)
    )
    start = points[first_step(changes)].since - LOOK_BACK
    while len(points) > 1 and points[1].since <= start:
        del points[0]


def append_point(points: list[shapes.PricePoint], amount: int | None, at: datetime) -> None:
    """Another price from this moment on, or from that of the last where that was later; no more than
    `POINTS_MAX` are left."""
    if points and points[-1].amount == amount:
        return
    since = at if not points else max(at, points[-1].since)
    points.append(shapes.PricePoint(since, amount))
    del points[:-POINTS_MAX]


def amounts_by_currency(document: shapes.ProductDocument) -> dict[str, int]:
    """What everybody pays for one unit, in minor units, by currency; the page's own price comes first.

    In another currency, too, it is the choice in the market `main`, or where that has none, in the first
    market by id that has one. A currency in which nobody can buy one unit is left out.
    """
    if document.price is None:
        return {}
    amounts = {document.price.currency: document.price.amount}
    others = {one.currency for one in document.prices} - amounts.keys()
    offered = [_offered(one) for one in document.prices] if others else []
    for currency in sorted(others):
        amount = _amount_in(currency, [one for one in offered if one.price_list.currency == currency])
        if amount is not None:
            amounts[currency] = amount
    return amounts


def _amount_in(currency: str, offered: Sequence[offer.ListPrice]) -> int | None:
    heads = [one.price_list for one in offered]
    includes_tax = all(head.tax_included for head in heads if head.list_id == BASE)
    for market_id in (MAIN_MARKET, *sorted({market for head in heads for market in head.markets})):
        for market in (_INCLUSIVE, _EXCLUSIVE) if includes_tax else (_EXCLUSIVE, _INCLUSIVE):
            chosen = choose(offered, currency, replace(market, market_id=market_id), (), 1)
            if chosen is not None:
                return amount_of_one(chosen.tiers, currency)
    return None


def amount_of_one(tiers: Tiers, currency: str) -> int | None:
    """What one unit costs at these tiers, in minor units; None where they start above that."""
    if not reaches(tiers, 1):
        return None
    return unit_price(UnitPrice(price_of(tiers, 1), currency)).amount


def _without(document: shapes.ProductDocument, list_id: str, currency: str) -> list[shapes.ListPrice]:
    return [one for one in document.prices if (one.list_id, one.currency) != (list_id, currency)]


def _shown(price_list: PriceList, tiers: Tiers) -> shapes.ListPrice:
    shown = []
    for start, exact in tiers:
        one = unit_price(UnitPrice(exact, price_list.currency))
        shown.append(shapes.PriceTier(start, one.amount, one.currency, one.exact))
    return shapes.ListPrice(
        list_id=price_list.list_id,
        kind=price_list.kind,
        currency=price_list.currency,
        label=price_list.label,
        tax_included=price_list.tax_included,
        priority=price_list.priority,
        tiers=shown,
        markets=list(price_list.markets),
    )


def _offered(shown: shapes.ListPrice) -> offer.ListPrice:
    price_list = PriceList(
        list_id=shown.list_id,
        currency=shown.currency,
        kind="sale" if shown.kind == "sale" else "override",
        tax_included=shown.tax_included,
        priority=shown.priority,
        markets=tuple(shown.markets),
    )
    return offer.ListPrice(price_list=price_list, tiers=tuple(map(_exact, shown.tiers)))


def _exact(tier: shapes.PriceTier) -> tuple[int, Decimal]:
    if tier.exact is not None:
        return tier.start, Decimal(tier.exact)
    return tier.start, UnitPrice.of(Money(tier.amount, tier.currency)).exact
