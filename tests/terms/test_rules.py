"""Markets, price lists, tax areas and shipping methods: what is refused, and that nothing happens twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from aggregates.pricing.rules import (
    Home,
    Market,
    PickupPoint,
    PriceList,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
    Zone,
)
from aggregates.terms.events import (
    HomeSet,
    MarketDefined,
    MarketRetired,
    PriceListDefined,
    PriceListEnded,
    PromotionDefined,
    PromotionEnded,
    ShippingMethodDefined,
    ShippingMethodRetired,
    TaxAreaDefined,
    TaxAreaRetired,
    TaxRatesSet,
)
from aggregates.terms.markets import define_market, retire_market, set_home
from aggregates.terms.price_lists import define_price_list, end_price_list
from aggregates.terms.reasons import PriceListInUse, RuleInUse, RuleUnfit, UnknownRule
from aggregates.terms.shipping_methods import define_shipping_method, retire_shipping_method
from aggregates.terms.tax_areas import RATES_MAX, define_tax_area, retire_tax_area, set_rates
from tests.aggregates.given import given
from tests.terms.samples import (
    AMERICA,
    BRITAIN,
    JUNE,
    MAY,
    PERCENT,
    POST,
    SPRING,
    TEXAS,
    TRADE,
    VAT,
    ten_percent,
)

MARKETS = (MarketDefined(market=BRITAIN), MarketDefined(market=AMERICA))
AREAS = (TaxAreaDefined(area=VAT), TaxAreaDefined(area=TEXAS))


# Home.


def test_home_is_set_once() -> None:
    home = Home(country="GB", vat_numbers={"GB": "GB123456789"})
    given().when(set_home, home=home).then_once(HomeSet(country="GB", vat_numbers={"GB": "GB123456789"}))
    given(HomeSet(country="GB")).when(set_home, home=Home(country="GB")).then_nothing()
    given(HomeSet(country="GB")).when(set_home, home=Home(country="GB", tax_included=False)).then_once(
        HomeSet(country="GB", tax_included=False)
    )


# Markets.

FRANCE = Market(market_id="fr", countries=("FR",), currencies=("EUR",))
BY_COUNTRY = replace(FRANCE, tax_pricing="inclusive_by_country", reference_area="gb")


@pytest.mark.parametrize(
    ("market", "field", "why"),
    [
        (replace(FRANCE, countries=()), "countries", "names none"),
        (replace(FRANCE, currencies=()), "currencies", "names none"),
        (replace(FRANCE, locales=()), "locales", "names none"),
        (replace(FRANCE, countries=("FR", "FR")), "countries.1", "is there twice"),
        (replace(FRANCE, currencies=("EUR", "ABC")), "currencies.1", "is no ISO 4217 currency code"),
        (
            replace(BY_COUNTRY, reference_area=None),
            "reference_area",
            "is needed: the prices contain the tax of that area",
        ),
        (replace(BY_COUNTRY, reference_area="fr"), "reference_area", "is no tax area that is defined"),
        (
            replace(BY_COUNTRY, tax_pricing="inclusive"),
            "reference_area",
            "is no part of a market whose tax_pricing is inclusive",
        ),
    ],
)
def test_a_market_that_cannot_be_is_refused(market: Market, field: str, why: str) -> None:
    given(*AREAS).when(define_market, market=market).then_rejected(RuleUnfit(field, why))


@pytest.mark.parametrize("market", [BRITAIN, AMERICA, FRANCE, BY_COUNTRY, replace(FRANCE, market_id="main")])
def test_a_market_is_defined_once(market: Market) -> None:
    given(*AREAS).when(define_market, market=market).then_once(MarketDefined(market=market))


def test_markets_may_share_a_country_and_a_currency() -> None:
    trade = replace(BRITAIN, market_id="gb-trade", tax_pricing="exclusive")
    given(*MARKETS).when(define_market, market=trade).then_once(MarketDefined(market=trade))


def test_a_market_is_retired_once_and_not_while_rules_name_it() -> None:
    given(*MARKETS).when(retire_market, market_id="gb").then_once(MarketRetired(market_id="gb"))
    given(*MARKETS, MarketRetired(market_id="gb")).when(retire_market, market_id="gb").then_nothing()
    given(*MARKETS).when(retire_market, market_id="fr").then_rejected(UnknownRule("market", "fr"))
    named = given(
        *MARKETS,
        PriceListDefined(price_list=replace(TRADE, markets=("gb",))),
        PromotionDefined(promotion=ten_percent(markets=("gb",))),
        PromotionDefined(promotion=ten_percent("ended", markets=("gb",))),
        PromotionEnded(promotion_id="ended", reason="-"),
        ShippingMethodDefined(method=POST),
    )
    by = ("price_list trade", "promotion ten", "shipping_method post")
    named.when(retire_market, market_id="gb").then_rejected(RuleInUse("market", "gb", by))
    named.when(retire_market, market_id="us").then_once(MarketRetired(market_id="us"))


# Price lists.


@pytest.mark.parametrize(
    ("price_list", "field", "why"),
    [
        (replace(TRADE, list_id="base"), "list_id", "is that of the listings' own prices"),
        (replace(TRADE, currency="ABC"), "currency", "is no ISO 4217 currency code"),
        (replace(TRADE, markets=("fr",)), "markets.0", "is no market that is defined"),
        (replace(TRADE, markets=("us",)), "currency", "is not that of any of its markets"),
        (
            replace(TRADE, markets=("us",), currency="USD"),
            "tax_included",
            "is otherwise in all of its markets",
        ),
        (replace(TRADE, starts_at=JUNE, ends_at=MAY), "ends_at", "is not after starts_at"),
        (replace(TRADE, ends_at=MAY), "ends_at", "is over"),
        (replace(SPRING, priority=5), "priority", "is no part of a sale: its lowest price counts"),
    ],
)
def test_a_price_list_that_cannot_be_is_refused(price_list: PriceList, field: str, why: str) -> None:
    given(*MARKETS).when(define_price_list, price_list=price_list, at=MAY).then_rejected(
        RuleUnfit(field, why)
    )


@pytest.mark.parametrize(
    "price_list",
    [
        TRADE,
        SPRING,
        replace(TRADE, markets=("us", "gb"), tax_included=False),
        replace(TRADE, markets=("main",), currency="JPY"),
    ],
)
def test_a_price_list_is_defined_once(price_list: PriceList) -> None:
    given(*MARKETS).when(define_price_list, price_list=price_list, at=MAY).then_once(
        PriceListDefined(price_list=price_list)
    )


def test_of_a_price_list_only_label_and_window_change() -> None:
    defined = given(PriceListDefined(price_list=SPRING))
    later = replace(SPRING, label="Summer", ends_at=JUNE + timedelta(days=9))
    defined.when(define_price_list, price_list=later, at=MAY).then_once(PriceListDefined(price_list=later))
    for other in (
        replace(SPRING, currency="EUR"),
        replace(SPRING, kind="override"),
        replace(SPRING, customer_groups=("trade",)),
        replace(SPRING, tax_included=False),
        replace(SPRING, markets=("main",)),
    ):
        defined.when(define_price_list, price_list=other, at=MAY).then_rejected(
            PriceListInUse("spring", "changed")
        )


def test_a_price_list_ends_once_and_for_good() -> None:
    defined, ended = PriceListDefined(price_list=SPRING), PriceListEnded(list_id="spring")
    given(defined).when(end_price_list, list_id="spring").then_once(ended)
    given(defined, ended).when(end_price_list, list_id="spring").then_nothing()
    given(defined, ended).when(define_price_list, price_list=SPRING, at=MAY).then_rejected(
        PriceListInUse("spring", "ended")
    )
    given().when(end_price_list, list_id="spring").then_rejected(UnknownRule("price_list", "spring"))


# Tax areas.


def rate(percent: int = 20 * PERCENT, category: str = "standard", **facts: Any) -> TaxRate:
    return TaxRate(tax_category=category, components=(TaxComponent(name="VAT", percent=percent),), **facts)


NEW_YEAR, LEAP_DAY = date(2026, 1, 1), date(2028, 2, 29)
RATES: list[tuple[tuple[TaxRate, ...], str, str]] = [
    ((rate(100 * PERCENT + 1),), "rates.0.components.0.percent", "is over 100 %"),
    ((rate(-1),), "rates.0.components.0.percent", "is below 0"),
    ((replace(rate(), components=()),), "rates.0.components", "names none"),
    (
        (replace(rate(), components=rate().components * 2),),
        "rates.0.components.1",
        "is there twice",
    ),
    ((rate(starts_on=LEAP_DAY, ends_on=LEAP_DAY),), "rates.0.ends_on", "is not after starts_on"),
    ((rate(), rate(5 * PERCENT)), "rates.1.starts_on", "is before another rate of standard ends"),
    (
        (rate(ends_on=LEAP_DAY), rate(starts_on=LEAP_DAY - timedelta(days=1))),
        "rates.1.starts_on",
        "is before another rate of standard ends",
    ),
    (
        (rate(starts_on=LEAP_DAY), rate(starts_on=NEW_YEAR)),
        "rates.0.starts_on",
        "is before another rate of standard ends",
    ),
    (
        tuple(rate(category=f"c{n}") for n in range(RATES_MAX + 1)),
        "rates",
        "are more than 1000",
    ),
]


@pytest.mark.parametrize(("rates", "field", "why"), RATES, ids=[f"{f} {w}" for _, f, w in RATES])
def test_rates_that_cannot_be_are_refused(rates: tuple[TaxRate, ...], field: str, why: str) -> None:
    unfit = RuleUnfit(field, why)
    given(*AREAS).when(set_rates, area_id="gb", rates=rates).then_rejected(unfit)
    given(*AREAS).when(define_tax_area, area=replace(VAT, rates=rates)).then_rejected(unfit)


def test_rates_are_set_once() -> None:
    rates = (
        rate(ends_on=LEAP_DAY),
        rate(22 * PERCENT, starts_on=LEAP_DAY),
        rate(0, category="books"),
        *(rate(category=f"c{n}") for n in range(RATES_MAX - 3)),
    )
    given(*AREAS).when(set_rates, area_id="gb", rates=rates).then_once(TaxRatesSet(area_id="gb", rates=rates))
    given(*AREAS).when(set_rates, area_id="gb", rates=VAT.rates).then_nothing()
    given(*AREAS).when(set_rates, area_id="gb", rates=()).then_once(TaxRatesSet(area_id="gb", rates=()))
    given().when(set_rates, area_id="gb", rates=()).then_rejected(UnknownRule("tax_area", "gb"))
    gone = given(*AREAS, TaxAreaRetired(area_id="gb"))
    gone.when(set_rates, area_id="gb", rates=()).then_rejected(UnknownRule("tax_area", "gb"))


def area(area_id: str, country: str = "US", regions: str = "", prefixes: str = "") -> TaxArea:
    return TaxArea(
        area_id=area_id,
        country=country,
        regions=tuple(regions.split()),
        postal_prefixes=tuple(prefixes.split()),
    )


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        (area("a"), area("b"), "country"),
        (area("a"), area("b", "CA"), None),
        (area("a"), area("b", regions="TX"), None),
        (area("a", regions="TX OK"), area("b", regions="NM OK"), "regions"),
        (area("a", regions="TX"), area("b", regions="NM"), None),
        (area("a", regions="TX"), area("b", prefixes="787"), None),
        (area("a", prefixes="787 1"), area("b", prefixes="2 787"), "postal_prefixes"),
        (area("a", prefixes="787"), area("b", prefixes="7870"), None),
        (area("a", "GB", prefixes="bt-1"), area("b", "GB", prefixes="BT1"), "postal_prefixes"),
        (area("a", regions="TX", prefixes="787"), area("b", prefixes="787"), None),
        (area("a", regions="TX", prefixes="787"), area("b", regions="TX", prefixes="787"), "postal_prefixes"),
        (area("a", regions="TX", prefixes="787"), area("b", regions="NM", prefixes="787"), None),
        (area("a", regions="TX", prefixes="787"), area("b", regions="TX"), None),
    ],
)
def test_two_areas_never_hold_for_one_place_when_neither_is_the_narrower(
    one: TaxArea, other: TaxArea, field: str | None
) -> None:
    for first, second in ((one, other), (other, one)):
        then = given(TaxAreaDefined(area=first)).when(define_tax_area, area=second)
        if field is None:
            then.then_once(TaxAreaDefined(area=second))
        else:
            why = f"is where the area {first.area_id} holds too"
            then.then_rejected(RuleUnfit(field, why))


def test_an_area_is_defined_once_and_keeps_its_rates_where_it_is_to() -> None:
    given().when(define_tax_area, area=VAT).then_once(TaxAreaDefined(area=VAT))
    named = replace(VAT, label="United Kingdom", rates=())
    given(*AREAS).when(define_tax_area, area=named, keep_rates=True).then_once(
        TaxAreaDefined(area=replace(named, rates=VAT.rates))
    )
    given(*AREAS).when(define_tax_area, area=named).then_once(TaxAreaDefined(area=named))
    given().when(define_tax_area, area=named, keep_rates=True).then_once(TaxAreaDefined(area=named))
    given().when(define_tax_area, area=replace(VAT, regions=("X", "X"))).then_rejected(
        RuleUnfit("regions.1", "is there twice")
    )
    given().when(define_tax_area, area=replace(VAT, provider_fallback=True)).then_rejected(
        RuleUnfit("provider_fallback", "is for an area with a provider")
    )


def test_an_area_is_retired_once_and_not_while_a_market_counts_on_it() -> None:
    given(*AREAS).when(retire_tax_area, area_id="gb").then_once(TaxAreaRetired(area_id="gb"))
    given(*AREAS, TaxAreaRetired(area_id="gb")).when(retire_tax_area, area_id="gb").then_nothing()
    given().when(retire_tax_area, area_id="gb").then_rejected(UnknownRule("tax_area", "gb"))
    named = given(*AREAS, MarketDefined(market=BY_COUNTRY))
    named.when(retire_tax_area, area_id="gb").then_rejected(RuleInUse("tax_area", "gb", ("market fr",)))


# Shipping methods.


def tiers(*tiers: ShippingTier, **facts: Any) -> ShippingMethod:
    return replace(POST, tiers=tiers, **facts)


def price(amount: int = 100, **facts: Any) -> ShippingTier:
    return ShippingTier(price={"GBP": amount}, **facts)


POINT = PickupPoint(point_id="shop", label="The shop", country="GB")
PICKUP = replace(POST, kind="pickup", points=(POINT,), tiers=(price(0),))
BY_AMOUNT = tiers(
    price(from_amount={"GBP": 0}), price(50, from_amount={"GBP": 3_000}), by="amount", free_from={}
)
METHODS: list[tuple[ShippingMethod, str, str]] = [
    (replace(POST, markets=("fr",)), "markets.0", "is no market that is defined"),
    (replace(POST, tiers=()), "tiers", "is needed: what it costs"),
    (replace(POST, provider="carrier"), "tiers", "is no part of a method whose provider says the price"),
    (replace(POST, zones=(Zone(country="US"),)), "zones", "are in no country of its markets"),
    (
        replace(POST, zones=(Zone(country="GB", regions=("X",), except_regions=("X", "Y")),)),
        "zones.0.except_regions",
        "leaves nothing of its regions",
    ),
    (
        replace(POST, zones=(Zone(country="GB", postal_prefixes=("BT1",), except_postal_prefixes=("BT",)),)),
        "zones.0.except_postal_prefixes",
        "leaves nothing of its postal_prefixes",
    ),
    (replace(POST, kind="pickup"), "points", "is needed: where an order is fetched"),
    (replace(POST, points=(POINT,)), "points", "is no part of what is shipped"),
    (replace(PICKUP, points=(POINT, POINT)), "points.1", "is there twice"),
    (replace(POST, days=(3, 2)), "days", "is not the fewest and the most"),
    (replace(POST, free_from={"GBP": 0}), "free_from.GBP", "is below 1"),
    (tiers(ShippingTier(price={})), "tiers.0.price", "names no currency"),
    (tiers(price(-1)), "tiers.0.price.GBP", "is below 0"),
    (
        tiers(price(), ShippingTier(price={"EUR": 1}, at_least=5)),
        "tiers.1.price",
        "is not in the same currencies as the others: GBP",
    ),
    (tiers(price(), price(200)), "tiers.1.at_least", "does not start above the tier before"),
    (tiers(price(at_least=-1)), "tiers.0.at_least", "is below 0"),
    (
        tiers(price(from_amount={"GBP": 5})),
        "tiers.0.from_amount",
        "is no part of a tier by weight_grams",
    ),
    (tiers(price(step=500)), "tiers.0.step_price", "is needed: what a started step costs"),
    (tiers(price(step=0, step_price={"GBP": 5})), "tiers.0.step", "is below 1"),
    (
        tiers(price(step_price={"GBP": 5})),
        "tiers.0.step",
        "is needed: for how much more step_price is",
    ),
    (
        tiers(price(step=5, step_price={"EUR": 5})),
        "tiers.0.step_price",
        "is not in the same currencies as the others: GBP",
    ),
    (tiers(price(at_least=5), by="amount"), "tiers.0.at_least", "is no part of a tier by amount"),
    (tiers(price(), by="amount"), "tiers.0.from_amount", "names no currency"),
    (
        tiers(price(from_amount={"GBP": 9}), price(from_amount={"GBP": 9}), by="amount"),
        "tiers.1.from_amount.GBP",
        "does not start above the tier before",
    ),
    (tiers(ShippingTier(price={"EUR": 1})), "tiers.0.price", "is in no currency of its markets"),
]


@pytest.mark.parametrize(("method", "field", "why"), METHODS, ids=[f"{f} {w}" for _, f, w in METHODS])
def test_a_shipping_method_that_cannot_be_is_refused(method: ShippingMethod, field: str, why: str) -> None:
    given(*MARKETS).when(define_shipping_method, method=method).then_rejected(RuleUnfit(field, why))


@pytest.mark.parametrize(
    "method",
    [POST, PICKUP, BY_AMOUNT, replace(POST, tiers=(), provider="carrier"), replace(POST, zones=())],
)
def test_a_shipping_method_is_defined_once(method: ShippingMethod) -> None:
    given(*MARKETS).when(define_shipping_method, method=method).then_once(
        ShippingMethodDefined(method=method)
    )


def test_a_shipping_method_is_retired_once() -> None:
    defined, retired = ShippingMethodDefined(method=POST), ShippingMethodRetired(method_id="post")
    given(*MARKETS, defined).when(retire_shipping_method, method_id="post").then_once(retired)
    given(*MARKETS, defined, retired).when(retire_shipping_method, method_id="post").then_nothing()
    given().when(retire_shipping_method, method_id="post").then_rejected(
        UnknownRule("shipping_method", "post")
    )
