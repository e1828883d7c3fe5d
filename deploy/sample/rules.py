"""The sample shop's rules of sale: two markets, their taxes, prices in dollars, shipping and promotions.

Shipping and promotions are for these markets alone: a cart that names none pays for its lines and nothing
else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from aggregates.pricing.rules import (
    STANDARD,
    Action,
    ActionTier,
    BundlePart,
    Condition,
    Home,
    Market,
    PriceList,
    Promotion,
    Selector,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
    Zone,
)
from aggregates.promotions.events import CouponIssued
from aggregates.terms.promotions import Units
from aggregates.terms.terms import TermsState
from commands.handlers.catalog import ChangeListPrices, NewPrice
from commands.handlers.promotions import IssueCoupon
from commands.handlers.terms import (
    DefineMarket,
    DefinePriceList,
    DefinePromotion,
    DefineShippingMethod,
    DefineTaxArea,
    SetHome,
)
from deploy.sample.products import FOOD, SampleProduct

PERCENT = 10_000
"""Parts per million."""
UNITS = Units(line=99, cart=999)
"""More than any of these promotions counts."""
UK, US = "uk", "us"
MUGS = Selector(categories=("Kitchen > Mugs",))

HOME = Home(country="GB", postal_code="LS1 4AP")

MARKETS = (
    Market(
        market_id=UK,
        label="United Kingdom",
        countries=("GB",),
        currencies=("GBP",),
        locales=("en-GB",),
        shipping_tax="highest",
    ),
    Market(
        market_id=US,
        label="United States",
        countries=("US",),
        currencies=("USD",),
        locales=("en-US",),
        tax_pricing="exclusive",
        shipping_tax="none",
    ),
)


def _rate(category: str, **percents: int) -> TaxRate:
    """A rate of parts per million by the name of the tax; _ is written for a space in it."""
    components = [TaxComponent(name=name.replace("_", " "), percent=ppm) for name, ppm in percents.items()]
    return TaxRate(tax_category=category, components=tuple(components))


TAX_AREAS = (
    TaxArea(
        area_id="gb",
        country="GB",
        label="United Kingdom",
        rates=(_rate(STANDARD, VAT=20 * PERCENT), _rate(FOOD, VAT=0)),
    ),
    TaxArea(
        area_id="us-ca",
        country="US",
        label="California",
        regions=("CA",),
        rates=(_rate(STANDARD, California=6 * PERCENT, Local=12_500), _rate(FOOD, California=0)),
    ),
    TaxArea(
        area_id="us-ny",
        country="US",
        label="New York",
        regions=("NY",),
        rates=(_rate(STANDARD, New_York_State=4 * PERCENT, Local=4 * PERCENT), _rate(FOOD, New_York_State=0)),
    ),
    TaxArea(
        area_id="us-nyc",
        country="US",
        label="New York City",
        regions=("NY",),
        postal_prefixes=("100", "101", "102", "103", "104", "111", "112", "113", "114", "116"),
        rates=(
            _rate(STANDARD, New_York_State=4 * PERCENT, New_York_City=45_000, MCTD=3_750),
            _rate(FOOD, New_York_State=0),
        ),
    ),
)

METHODS = (
    ShippingMethod(
        method_id="uk-post",
        label="Royal Mail, 2 to 4 days",
        markets=(UK,),
        zones=(Zone(country="GB"),),
        by="quantity",
        tiers=(ShippingTier(price={"GBP": 395}),),
        free_from={"GBP": 5_000},
        days=(2, 4),
    ),
    ShippingMethod(
        method_id="uk-courier",
        label="Courier, next day",
        markets=(UK,),
        zones=(Zone(country="GB", except_postal_prefixes=("BT", "HS", "ZE")),),
        by="quantity",
        tiers=(
            ShippingTier(price={"GBP": 795}),
            ShippingTier(at_least=5, price={"GBP": 795}, step=5, step_price={"GBP": 150}),
        ),
        days=(1, 1),
    ),
    ShippingMethod(
        method_id="us-parcel",
        label="Parcel, 6 to 10 days",
        markets=(US,),
        zones=(Zone(country="US"),),
        by="amount",
        tiers=(
            ShippingTier(from_amount={"USD": 0}, price={"USD": 1_495}),
            ShippingTier(from_amount={"USD": 7_500}, price={"USD": 795}),
        ),
        free_from={"USD": 15_000},
        days=(6, 10),
    ),
)

DOLLARS = PriceList(
    list_id="us-dollars", label="Prices in dollars", currency="USD", markets=(US,), tax_included=False
)

PROMOTIONS = (
    Promotion(
        promotion_id="mugs-3-for-2",
        label="Mugs: 3 for 2",
        markets=(UK, US),
        action=Action(
            kind="buy_get", buy=MUGS, buy_quantity=2, get=MUGS, get_quantity=1, percent=100 * PERCENT
        ),
        announce=True,
    ),
    Promotion(
        promotion_id="tea-and-honey",
        label="A tea or coffee and a spread, 15 % off both",
        markets=(UK, US),
        action=Action(
            kind="bundle",
            parts=(
                BundlePart(selector=Selector(categories=("Pantry > Tea and coffee",)), quantity=1),
                BundlePart(selector=Selector(categories=("Pantry > Spreads",)), quantity=1),
            ),
            percent=15 * PERCENT,
        ),
        announce=True,
    ),
    Promotion(
        promotion_id="more-for-more",
        label="Money off larger orders",
        markets=(UK, US),
        action=Action(
            kind="amount_off",
            tiers=(
                ActionTier(from_amount={"GBP": 6_000, "USD": 7_500}, amount={"GBP": 500, "USD": 600}),
                ActionTier(from_amount={"GBP": 12_000, "USD": 15_000}, amount={"GBP": 1_500, "USD": 1_800}),
            ),
        ),
    ),
    Promotion(
        promotion_id="welcome",
        label="Welcome: 10 % off your first order",
        markets=(UK, US),
        automatic=False,
        action=Action(kind="percent_off", percent=10 * PERCENT),
        conditions=(Condition(kind="first_order"),),
        uses_per_shopper_max=1,
        guests="by_email",
        cap={"GBP": 2_000, "USD": 2_500},
    ),
    Promotion(
        promotion_id="chocolate",
        label="A bar of chocolate with orders from 80.00",
        markets=(UK, US),
        action=Action(kind="gift", skus=("CHOC-85", "CHOC-MILK")),
        conditions=(Condition(kind="amount_at_least", amount={"GBP": 8_000, "USD": 8_000}),),
    ),
)

COUPON = CouponIssued(code="WELCOME10", promotion_id="welcome")


def cents(product: SampleProduct) -> int:
    """Its price in dollars, without tax: a quarter more than the pounds, up to the next .95 or .45."""
    return -(-product.pence * 5 // 4 // 50) * 50 - 5


def are_own(terms: TermsState) -> bool:
    """Whether the shop has rules of sale that are not the sample's: then it is left without these."""
    rules, retired = terms.rules, terms.retired
    known_and_ours = (
        (rules.markets.keys() | retired.markets, {one.market_id for one in MARKETS}),
        (rules.price_lists.keys() | retired.price_lists, {DOLLARS.list_id}),
        (rules.promotions.keys() | retired.promotions, {one.promotion_id for one in PROMOTIONS}),
        (rules.tax_areas.keys() | retired.tax_areas, {one.area_id for one in TAX_AREAS}),
        (rules.shipping_methods.keys() | retired.shipping_methods, {one.method_id for one in METHODS}),
    )
    has_others = any(not known <= ours for known, ours in known_and_ours)
    return has_others or rules.home not in (None, HOME)


def missing_rules(
    terms: TermsState, unpriced: Sequence[SampleProduct], *, has_coupon: bool, at: datetime
) -> Iterator[Any]:
    """The commands that define what is missing; what an operator changed or ended since stays so.

    `unpriced`: the products that never had a price in dollars.
    """
    rules, retired = terms.rules, terms.retired
    if rules.home is None:
        yield SetHome(home=HOME)
    markets = rules.markets.keys() | retired.markets
    areas = rules.tax_areas.keys() | retired.tax_areas
    methods = rules.shipping_methods.keys() | retired.shipping_methods
    promotions = rules.promotions.keys() | retired.promotions
    yield from (DefineMarket(market=one) for one in MARKETS if one.market_id not in markets)
    yield from (DefineTaxArea(area=one, keep_rates=False) for one in TAX_AREAS if one.area_id not in areas)
    yield from (DefineShippingMethod(method=one) for one in METHODS if one.method_id not in methods)
    yield from (
        DefinePromotion(promotion=one, units=UNITS, at=at)
        for one in PROMOTIONS
        if one.promotion_id not in promotions
    )
    if not has_coupon and COUPON.promotion_id not in retired.promotions:
        yield IssueCoupon(issued=COUPON, at=at)
    if DOLLARS.list_id in retired.price_lists:
        return
    if DOLLARS.list_id not in rules.price_lists:
        yield DefinePriceList(price_list=DOLLARS, at=at)
    for product in unpriced:
        yield ChangeListPrices(
            prices=(
                NewPrice(sku=product.sku, currency="USD", tiers=((1, Decimal(cents(product)).scaleb(-2)),)),
            ),
            now=at,
            schedule_id="",
            list_id=DOLLARS.list_id,
        )
