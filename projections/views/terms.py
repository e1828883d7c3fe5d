"""The view `terms`: the rules of sale that storefronts and operators ask for, one document per kind of rule.

Events: those of the stream `terms-main`, but the ones of tax areas and of the home. Document keys:
`markets`, `price_lists`, `shipping_methods`, `promotions`; rules stand in the order of their ids. Amounts are
minor units. As stale as the projector is behind: a promotion runs for pages once the process `schedules` has
reported it, while what is priced follows the promotion's own window.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar, assert_never

from aggregates.pricing import rules
from aggregates.terms.events import (
    MarketDefined,
    MarketRetired,
    PriceListDefined,
    PriceListEnded,
    PromotionDefined,
    PromotionEnded,
    PromotionStarted,
    ShippingMethodDefined,
    ShippingMethodRetired,
)
from event_store.records import RecordedEvent
from projections.documents.shapes import (
    Market,
    Money,
    PickupPoint,
    PriceListHead,
    PromotionHead,
    ShippingMethod,
    ShippingTier,
    ShippingZone,
    TermsDocument,
)
from projections.views.view import DocumentView

MARKETS = "markets"
PRICE_LISTS = "price_lists"
SHIPPING_METHODS = "shipping_methods"
PROMOTIONS = "promotions"

MarketEvent = MarketDefined | MarketRetired
PriceListEvent = PriceListDefined | PriceListEnded
ShippingMethodEvent = ShippingMethodDefined | ShippingMethodRetired
PromotionEvent = PromotionDefined | PromotionStarted | PromotionEnded
Event = MarketEvent | PriceListEvent | ShippingMethodEvent | PromotionEvent

Rule = TypeVar("Rule")


def facts(event: Event, recorded: RecordedEvent) -> Sequence[tuple[str, Event]]:
    """The event, for the document of its kind of rule."""
    match event:
        case MarketDefined() | MarketRetired():
            return ((MARKETS, event),)
        case PriceListDefined() | PriceListEnded():
            return ((PRICE_LISTS, event),)
        case ShippingMethodDefined() | ShippingMethodRetired():
            return ((SHIPPING_METHODS, event),)
        case PromotionDefined() | PromotionStarted() | PromotionEnded():
            return ((PROMOTIONS, event),)
        case _:
            assert_never(event)


def evolve(key: str, document: TermsDocument | None, event: Event, recorded: RecordedEvent) -> TermsDocument:
    """The rules of one kind after the event."""
    document = document or TermsDocument(position=recorded.position)
    match event:
        case MarketDefined(market=market):
            _put(document.markets, _market(market), _market_id)
        case MarketRetired(market_id=market_id):
            _remove(document.markets, market_id, _market_id)
        case PriceListDefined(price_list=price_list):
            _put(document.price_lists, _price_list(price_list), _list_id)
        case PriceListEnded(list_id=list_id):
            _remove(document.price_lists, list_id, _list_id)
        case ShippingMethodDefined(method=method):
            _put(document.shipping_methods, _shipping_method(method), _method_id)
        case ShippingMethodRetired(method_id=method_id):
            _remove(document.shipping_methods, method_id, _method_id)
        case PromotionDefined(promotion=promotion):
            _put(document.promotions, _promotion(promotion), _promotion_id)
        case PromotionStarted(promotion_id=promotion_id):
            for one in document.promotions:
                one.running = one.running or one.promotion_id == promotion_id
        case PromotionEnded(promotion_id=promotion_id):
            _remove(document.promotions, promotion_id, _promotion_id)
        case _:
            assert_never(event)
    return document


def _market_id(market: Market) -> str:
    return market.market_id


def _list_id(price_list: PriceListHead) -> str:
    return price_list.list_id


def _method_id(method: ShippingMethod) -> str:
    return method.method_id


def _promotion_id(promotion: PromotionHead) -> str:
    return promotion.promotion_id


def _put(held: list[Rule], rule: Rule, id_of: Callable[[Rule], str]) -> None:
    """In place of the one of its id, else where its id belongs."""
    at = bisect_left(held, id_of(rule), key=id_of)
    same = at < len(held) and id_of(held[at]) == id_of(rule)
    held[at : at + same] = [rule]


def _remove(held: list[Rule], rule_id: str, id_of: Callable[[Rule], str]) -> None:
    held[:] = [rule for rule in held if id_of(rule) != rule_id]


def _market(market: rules.Market) -> Market:
    return Market(
        market_id=market.market_id,
        label=market.label,
        countries=list(market.countries),
        currencies=list(market.currencies),
        locales=list(market.locales),
        tax_pricing=market.tax_pricing,
        shipping_tax=market.shipping_tax,
        reference_area=market.reference_area,
        progressive=market.progressive,
    )


def _price_list(head: rules.PriceList) -> PriceListHead:
    return PriceListHead(
        list_id=head.list_id,
        kind=head.kind,
        currency=head.currency,
        label=head.label,
        markets=list(head.markets),
        customer_groups=list(head.customer_groups),
        tax_included=head.tax_included,
        priority=head.priority,
        starts_at=head.starts_at,
        ends_at=head.ends_at,
    )


def _shipping_method(method: rules.ShippingMethod) -> ShippingMethod:
    return ShippingMethod(
        method_id=method.method_id,
        label=method.label,
        kind=method.kind,
        markets=list(method.markets),
        zones=[
            ShippingZone(
                country=zone.country,
                regions=list(zone.regions),
                postal_prefixes=list(zone.postal_prefixes),
                except_regions=list(zone.except_regions),
                except_postal_prefixes=list(zone.except_postal_prefixes),
            )
            for zone in method.zones
        ],
        by=method.by,
        tiers=[
            ShippingTier(
                price=_amounts(tier.price),
                at_least=None if method.by == "amount" else tier.at_least,
                from_amount=_amounts(tier.from_amount),
                step=tier.step,
                step_price=_amounts(tier.step_price),
            )
            for tier in method.tiers
        ],
        free_from=_amounts(method.free_from),
        tax_category=method.tax_category,
        days=method.days,
        points=[
            PickupPoint(point.point_id, point.label, point.country, point.region, point.postal_code)
            for point in method.points
        ],
    )


def _promotion(promotion: rules.Promotion) -> PromotionHead:
    return PromotionHead(
        promotion_id=promotion.promotion_id,
        label=promotion.label,
        markets=list(promotion.markets),
        starts_at=promotion.starts_at,
        ends_at=promotion.ends_at,
        automatic=promotion.automatic,
        announce=promotion.announce,
        running=promotion.starts_at is None,
    )


def _amounts(amounts: rules.Amounts) -> list[Money]:
    return [Money(amount, currency) for currency, amount in sorted(amounts.items())]


VIEW = DocumentView(
    name="terms",
    model=2,
    shape=TermsDocument,
    events=frozenset(
        {
            *(MarketDefined, MarketRetired, PriceListDefined, PriceListEnded),
            *(ShippingMethodDefined, ShippingMethodRetired),
            *(PromotionDefined, PromotionStarted, PromotionEnded),
        }
    ),
    facts=facts,
    evolve=evolve,
)
