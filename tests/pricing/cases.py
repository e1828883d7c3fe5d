"""The acceptance cases of the pricing rules and their exact outcomes, as data.

Each case is named by its number, and by a letter where the number has several. Amounts are minor units; what
an outcome leaves out is not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aggregates.pricing.context import Context, Destination, PricedLine, TaxStatus, Traits
from aggregates.pricing.rules import (
    BASE,
    WHOLE,
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
    Terms,
    Tiers,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
PERCENT = WHOLE // 100


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What must come out; None and empty: not compared. By line where a mapping says so by line id."""

    line_totals: dict[str, int] = field(default_factory=dict)
    nets: dict[str, int] = field(default_factory=dict)
    taxes: dict[str, int] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    discounts: dict[str, int] = field(default_factory=dict)  # by promotion; others gave nothing
    no_discounts: bool = False
    total: int | None = None
    tax: int | None = None
    tax_charge: int | None = None
    shipping: int | None = None  # after its discounts
    shipping_tax: int | None = None
    shipping_paid: int | None = None
    components: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A cart under some terms, and what it costs."""

    name: str
    lines: tuple[PricedLine, ...]
    outcome: Outcome
    currency: str = "GBP"
    terms: Terms = field(default_factory=Terms)
    codes: tuple[str, ...] = ()  # the promotions of the coupons in the cart
    method_id: str | None = None
    country: str | None = None
    tax_status: TaxStatus | None = None

    @property
    def context(self) -> Context:
        return Context(
            market="main",
            currency=self.currency,
            at=NOON,
            codes={f"CODE-{promotion.upper()}": promotion for promotion in self.codes},
            destination=None if self.country is None else Destination(country=self.country),
            method_id=self.method_id,
            tax_status=self.tax_status,
        )


@dataclass(frozen=True, kw_only=True)
class Given:
    """One refund in a row: so many units of a line, or an amount alone; what goes back, and the tax in it."""

    line_id: str | None = None
    amount: int | None = None
    back: int
    tax: int = 0
    tenders: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RefundCase:
    """A case's order, and what goes back, refund by refund."""

    name: str
    case: Case
    refunds: tuple[Given, ...]
    credit: tuple[tuple[str, int], ...] = ()


def line(line_id: str, unit_price: str, quantity: int = 1, **traits: Any) -> PricedLine:
    """Units of a product that bears the line's name."""
    return PricedLine(
        line_id=line_id,
        sku=line_id.upper(),
        quantity=quantity,
        list_id=BASE,
        tiers=((1, Decimal(unit_price)),),
        traits=Traits(**traits),
    )


def terms(
    *promotions: Promotion,
    market: Market | None = None,
    areas: Sequence[TaxArea] = (),
    method: ShippingMethod | None = None,
    home: Home | None = None,
) -> Terms:
    """Terms of version 57 with these rules."""
    return Terms(
        version=57,
        home=home,
        markets={} if market is None else {market.market_id: market},
        promotions={each.promotion_id: each for each in promotions},
        tax_areas={each.area_id: each for each in areas},
        shipping_methods={} if method is None else {method.method_id: method},
    )


def promotion(promotion_id: str, action: Action, *conditions: Condition, **facts: Any) -> Promotion:
    """A promotion that applies by itself, under these conditions."""
    return Promotion(
        promotion_id=promotion_id, label=promotion_id, action=action, conditions=conditions, **facts
    )


def skus(*line_ids: str) -> Selector:
    """The products of these lines."""
    return Selector(skus=tuple(each.upper() for each in line_ids))


def off_lines(percent: int, selector: Selector | None = None) -> Action:
    return Action(kind="percent", selector=selector or Selector(), percent=percent * PERCENT)


def off_cart(percent: int) -> Action:
    return Action(kind="percent_off", percent=percent * PERCENT)


def less(amount: int, currency: str = "GBP") -> Action:
    return Action(kind="amount_off", amount={currency: amount})


def at_least(amount: int, currency: str = "GBP") -> Condition:
    return Condition(kind="amount_at_least", amount={currency: amount})


def percents(text: str) -> int:
    """Parts per million: `percents("9.975")`."""
    return int(Decimal(text) * PERCENT)


def rate(category: str, *components: str, compound: bool = False) -> TaxRate:
    """A rate of one percentage, or of several components c1, c2 …; `compound`: all but the first."""
    return TaxRate(
        tax_category=category,
        components=tuple(
            TaxComponent(name=f"c{number}", percent=percents(each), compound=compound and number > 1)
            for number, each in enumerate(components, start=1)
        ),
    )


def area(country: str, *rates: TaxRate, each: bool = False) -> TaxArea:
    """A country's tax area of the same name."""
    return TaxArea(
        area_id=country, country=country, rates=rates, components_rounded="each" if each else "together"
    )


def market(currency: str, tax_pricing: str = "inclusive", **facts: Any) -> Market:
    """The main market, with this currency."""
    countries = ("GB", "DE", "BE", "FR", "US", "CA", "JP", "BH")
    return Market(
        market_id="main", countries=countries, currencies=(currency,), tax_pricing=tax_pricing, **facts
    )  # type: ignore[arg-type]


def taxed(
    currency: str, country: str, *rates: TaxRate, pricing: str = "inclusive", each: bool = False, **facts: Any
) -> dict[str, Any]:
    """A case's market with one tax area, its destination there."""
    shipping, home = facts.pop("shipping", None), facts.pop("home", None)
    return {
        "currency": currency,
        "country": country,
        "method_id": None if shipping is None else "post",
        "terms": terms(
            *facts.pop("promotions", ()),
            market=market(currency, pricing, **facts),
            areas=[area(country, *rates, each=each)],
            method=None if shipping is None else post(currency, shipping),
            home=home,
        ),
    }


def post(currency: str, price: int) -> ShippingMethod:
    """A method that costs the same for every cart."""
    return ShippingMethod(method_id="post", label="Post", tiers=(ShippingTier(price={currency: price}),))


SPREAD_100 = (line("a", "20.00"), line("b", "5.00"), line("c", "1.99"))
TEN_AND_TWO = terms(
    promotion("ten", off_lines(10), priority=200, group="g"),
    promotion("two", Action(kind="per_unit", amount={"GBP": 200}), group="g"),
)
THIRTEEN = terms(
    promotion("ten", off_lines(10)),
    promotion("code", off_cart(20), at_least(5000), automatic=False, cap={"GBP": 800}),
)
BY_WEIGHT = ShippingMethod(
    method_id="parcel",
    label="Parcel",
    tiers=(
        ShippingTier(price={"GBP": 395}),
        ShippingTier(at_least=2000, price={"GBP": 595}),
        ShippingTier(at_least=5000, price={"GBP": 895}, step=500, step_price={"GBP": 80}),
    ),
    free_from={"GBP": 5000},
)
DUTCH = Home(country="NL")
REVERSED = TaxStatus(reverse_charge=True)


def eight(amount: int) -> Terms:
    """An exclusive code against a line's and a cart's promotion."""
    return terms(
        promotion("line", off_lines(10, skus("a"))),
        promotion("cart", less(amount)),
        promotion("alone", off_cart(15), automatic=False, exclusive=True),
    )


def by_country(reference: str, destination: str) -> dict[str, Any]:
    """Prices that contain one country's tax, sold to another."""
    return {
        "currency": "EUR",
        "country": "FR",
        "terms": terms(
            market=market("EUR", "inclusive_by_country", reference_area="DE"),
            areas=[area("DE", rate("standard", reference)), area("FR", rate("standard", destination))],
        ),
    }


CASES: tuple[Case, ...] = (
    Case(
        name="1",
        lines=(line("a", "2.555", 3), line("b", "2.555", 5)),
        outcome=Outcome(line_totals={"a": 766, "b": 1278}, total=2044),
    ),
    Case(
        name="3a",
        lines=(line("a", "399.00", 25),),
        terms=terms(promotion("ten", off_lines(10))),
        outcome=Outcome(nets={"a": 897750}, total=897750),
    ),
    Case(
        name="3b",
        lines=(line("a", "70.00", 3),),
        outcome=Outcome(tax=4100, total=24600, tax_charge=4100),
        **taxed(
            "GBP",
            "GB",
            rate("standard", "20"),
            pricing="exclusive",
            promotions=[promotion("five", less(500))],
        ),
    ),
    Case(
        name="4a",
        lines=(line("a", "33.33"), line("b", "33.33"), line("c", "33.33")),
        terms=terms(promotion("ten", off_cart(10))),
        outcome=Outcome(discounts={"ten": 1000}, nets={"a": 2999, "b": 3000, "c": 3000}),
    ),
    Case(
        name="4b",
        lines=SPREAD_100,
        terms=terms(promotion("ten", less(1000))),
        outcome=Outcome(nets={"a": 1259, "b": 315, "c": 125}),
    ),
    Case(
        name="5a",
        lines=(line("a", "20.00"), line("b", "10.00")),
        outcome=Outcome(discounts={"fifty": 3000}, total=0, tax=0),
        **taxed("GBP", "GB", rate("standard", "20"), promotions=[promotion("fifty", less(5000))]),
    ),
    Case(
        name="5b",
        lines=(
            line("a", "5.60"),
            line("b", "8.92"),
            line("c", "44.91"),
            line("d", "217.26"),
            line("e", "2400.00"),
        ),
        outcome=Outcome(total=0, tax=0),
        **taxed(
            "GBP",
            "GB",
            rate("standard", "15"),
            pricing="exclusive",
            promotions=[promotion("all", off_cart(100))],
        ),
    ),
    Case(
        name="6",
        lines=(line("a", "12.49", 2, category="Kitchen"), line("b", "7.25", category="Garden")),
        terms=terms(
            promotion("kitchen", off_lines(20, Selector(categories=("Kitchen",)))),
            promotion("ten", off_cart(10)),
        ),
        outcome=Outcome(discounts={"kitchen": 500, "ten": 272}, nets={"a": 1798, "b": 653}, total=2451),
    ),
    Case(
        name="7a",
        lines=(line("a", "15.00", 3),),
        terms=TEN_AND_TWO,
        outcome=Outcome(discounts={"two": 600}, total=3900),
    ),
    Case(
        name="7b",
        lines=(line("a", "25.00", 3),),
        terms=TEN_AND_TWO,
        outcome=Outcome(discounts={"ten": 750}, total=6750),
    ),
    Case(
        name="8a",
        lines=(line("a", "40.00"), line("b", "10.00")),
        terms=eight(300),
        codes=("alone",),
        outcome=Outcome(discounts={"alone": 750}, nets={"a": 3400, "b": 850}, total=4250),
    ),
    Case(
        name="8b",
        lines=(line("a", "40.00"), line("b", "10.00")),
        terms=eight(400),
        codes=("alone",),
        outcome=Outcome(discounts={"line": 400, "cart": 400}, nets={"a": 3287, "b": 913}, total=4200),
    ),
    Case(
        name="9",
        lines=(line("a", "9.99", 5),),
        terms=terms(
            promotion("third", Action(kind="buy_get", buy_quantity=2, get_quantity=1, percent=WHOLE))
        ),
        outcome=Outcome(nets={"a": 3996}),
    ),
    Case(
        name="10",
        lines=(line("a", "30.00"), line("b", "19.99")),
        terms=terms(
            promotion(
                "half",
                Action(
                    kind="buy_get",
                    buy=skus("a"),
                    buy_quantity=1,
                    get=skus("b"),
                    get_quantity=1,
                    percent=50 * PERCENT,
                ),
            )
        ),
        outcome=Outcome(discounts={"half": 1000}, nets={"a": 2400, "b": 1599}, total=3999),
    ),
    Case(
        name="11",
        lines=(line("a", "7.50", 2), line("b", "8.25"), line("c", "6.00")),
        terms=terms(
            promotion(
                "three",
                Action(
                    kind="bundle", parts=(BundlePart(selector=Selector(), quantity=3),), price={"GBP": 2000}
                ),
            )
        ),
        outcome=Outcome(discounts={"three": 325}, nets={"a": 1290, "b": 710, "c": 600}),
    ),
    Case(
        name="12",
        lines=(line("a", "3.33", 4), line("b", "4.99", 2)),
        terms=terms(
            promotion(
                "more",
                Action(
                    kind="percent",
                    tiers=(
                        ActionTier(quantity=3, percent=5 * PERCENT),
                        ActionTier(quantity=6, percent=10 * PERCENT),
                    ),
                    tiers_by="selection",
                ),
            )
        ),
        outcome=Outcome(nets={"a": 1199, "b": 898}),
    ),
    Case(
        name="13a",
        lines=(line("a", "55.00"),),
        terms=THIRTEEN,
        codes=("code",),
        outcome=Outcome(discounts={"ten": 550}, total=4950),
    ),
    Case(
        name="13b",
        lines=(line("a", "56.00"),),
        terms=THIRTEEN,
        codes=("code",),
        outcome=Outcome(discounts={"ten": 560, "code": 800}, total=4240),
    ),
    Case(
        name="14a",
        lines=(line("a", "13.00", 4, weight_grams=1300),),
        terms=terms(promotion("thirty", off_cart(30), automatic=False), method=BY_WEIGHT),
        codes=("thirty",),
        method_id="parcel",
        outcome=Outcome(shipping=975, total=4615),
    ),
    Case(
        name="14b",
        lines=(line("a", "13.00", 4, weight_grams=1300),),
        terms=terms(promotion("thirty", off_cart(30), automatic=False), method=BY_WEIGHT),
        method_id="parcel",
        outcome=Outcome(shipping=0, total=5200, no_discounts=True),
    ),
    Case(
        name="15",
        lines=(line("a", "10.00", tax_category="books"), line("b", "20.00")),
        outcome=Outcome(taxes={"a": 70, "b": 380}, shipping_tax=90, total=4140),
        **taxed("EUR", "DE", rate("standard", "19"), rate("books", "7"), pricing="exclusive", shipping=600),
    ),
    Case(
        name="16a",
        lines=(line("a", "19.00"), line("b", "10.00", tax_category="books")),
        outcome=Outcome(tax=98, taxes={"a": 0, "b": 65}, shipping_tax=33, total=1500),
        **taxed(
            "EUR",
            "DE",
            rate("standard", "19"),
            rate("books", "7"),
            shipping=500,
            promotions=[promotion("free", off_lines(100, skus("a")))],
        ),
    ),
    Case(
        name="16b",
        lines=(line("a", "30.00", tax_category="books"), line("b", "5.00")),
        outcome=Outcome(tax=133, taxes={"a": 0, "b": 83}, shipping_tax=50, total=3800),
        **taxed(
            "GBP", "GB", rate("standard", "20"), rate("books", "0"), shipping=300, shipping_tax="highest"
        ),
    ),
    Case(
        name="17",
        lines=(line("a", "9.99"), line("b", "9.99"), line("c", "4.99")),
        outcome=Outcome(tax=416, taxes={"a": 167, "b": 166, "c": 83}, total=2497),
        **taxed("GBP", "GB", rate("standard", "20")),
    ),
    Case(
        name="18a",
        lines=(line("a", "100.00"),),
        tax_status=REVERSED,
        outcome=Outcome(total=8264, tax_charge=-1736, tax=0),
        **taxed("EUR", "BE", rate("standard", "21"), home=DUTCH),
    ),
    Case(
        name="18b",
        lines=(line("a", "100.00"),),
        tax_status=REVERSED,
        outcome=Outcome(total=8678, tax_charge=-1822, paid={"a": 8265}, shipping_paid=413, tax=0),
        **taxed("EUR", "BE", rate("standard", "21"), shipping=500, home=DUTCH),
    ),
    Case(
        name="19a",
        lines=(line("a", "120.00"),),
        outcome=Outcome(total=11900, tax_charge=-100, tax=1900),
        **by_country("20", "19"),
    ),
    Case(
        name="19b",
        lines=(line("a", "2.99"),),
        outcome=Outcome(total=299, tax=12, tax_charge=0),
        **by_country("4", "4"),
    ),
    Case(
        name="20a",
        lines=(line("a", "19.99"), line("b", "4.50", 3), line("c", "0.21")),
        outcome=Outcome(
            tax=299,
            taxes={"a": 177, "b": 120, "c": 2},
            components={"c1": 135, "c2": 151, "c3": 13},
            total=3669,
        ),
        **taxed("USD", "US", rate("standard", "4", "4.5", "0.375"), pricing="exclusive"),
    ),
    Case(
        name="20b",
        lines=(line("a", "5.00"),),
        outcome=Outcome(total=543),
        **taxed("USD", "US", rate("standard", "8.5"), pricing="exclusive"),
    ),
    Case(
        name="21a",
        lines=(line("a", "10.30"),),
        outcome=Outcome(components={"c1": 52, "c2": 103}, total=1185),
        **taxed("CAD", "CA", rate("standard", "5", "9.975"), pricing="exclusive", each=True),
    ),
    Case(
        name="21b",
        lines=(line("a", "33.33"),),
        outcome=Outcome(components={"c1": 167, "c2": 263}, total=3763),
        **taxed("CAD", "CA", rate("standard", "5", "7.5", compound=True), pricing="exclusive", each=True),
    ),
    Case(
        name="22a",
        lines=(line("a", "298", 3, tax_category="food"), line("b", "1280")),
        outcome=Outcome(nets={"a": 849, "b": 1216}, taxes={"a": 63, "b": 111}, total=2065),
        **taxed(
            "JPY",
            "JP",
            rate("standard", "10"),
            rate("food", "8"),
            promotions=[promotion("five", off_cart(5))],
        ),
    ),
    Case(
        name="22b",
        lines=(line("a", "1.2345", 2), line("b", "0.005")),
        outcome=Outcome(nets={"a": 2099, "b": 5}, taxes={"a": 210, "b": 0}, total=2314),
        **taxed(
            "BHD",
            "BH",
            rate("standard", "10"),
            pricing="exclusive",
            promotions=[promotion("fifteen", off_lines(15, skus("a")))],
        ),
    ),
    Case(
        name="23",
        lines=(line("a", "33.33", 3), line("b", "0.01")),
        outcome=Outcome(paid={"a": 10799, "b": 1}, taxes={"a": 1800, "b": 0}),
        **taxed(
            "GBP",
            "GB",
            rate("standard", "20"),
            pricing="exclusive",
            promotions=[promotion("ten", less(1000))],
        ),
    ),
    Case(name="24", lines=(line("a", "100.00"),), outcome=Outcome(total=10000)),
    Case(
        name="gift",
        lines=(
            line("a", "21.00", 2),
            replace(line("g", "7.50"), gift_of="present"),
        ),
        terms=terms(
            promotion("present", Action(kind="gift", skus=("G",)), at_least(4000)),
            promotion("ten", off_cart(10), automatic=False),
        ),
        codes=("ten",),
        outcome=Outcome(
            discounts={"ten": 420, "present": 750},
            line_totals={"a": 4200, "g": 750},
            paid={"g": 0},
            total=3780,
        ),
    ),
)
BY_NAME = {case.name: case for case in CASES}


def one_by_one(line_id: str, *given: tuple[int, int]) -> tuple[Given, ...]:
    """A line's units one after the other: what each gives, and the tax in it."""
    return tuple(Given(line_id=line_id, back=back, tax=tax) for back, tax in given)


REFUND_CASES: tuple[RefundCase, ...] = (
    RefundCase(
        name="9",
        case=BY_NAME["9"],
        refunds=one_by_one("a", (799, 0), (799, 0), (800, 0), (799, 0), (799, 0)),
    ),
    RefundCase(name="10", case=BY_NAME["10"], refunds=one_by_one("b", (1599, 0))),
    RefundCase(name="22a", case=BY_NAME["22a"], refunds=one_by_one("a", *[(283, 21)] * 3)),
    RefundCase(
        name="23a", case=BY_NAME["23"], refunds=one_by_one("a", (3600, 600), (3599, 600), (3600, 600))
    ),
    RefundCase(
        name="23b",
        case=BY_NAME["23"],
        refunds=(
            Given(amount=500, back=500, tax=83),
            *one_by_one("a", (3600, 600), (3599, 600), (3100, 517)),
        ),
    ),
    RefundCase(
        name="24",
        case=BY_NAME["24"],
        credit=(("gift", 3000),),
        refunds=(
            Given(amount=5000, back=5000, tenders={"card": 5000}),
            Given(amount=4000, back=4000, tenders={"card": 2000, "gift": 2000}),
            Given(amount=1000, back=1000, tenders={"gift": 1000}),
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class ChoiceCase:
    """Which list a line takes, and what it then costs."""

    name: str
    customer_groups: tuple[str, ...]
    quantity: int
    list_id: str
    line_total: int
    was: str | None = None


def tiers(*prices: tuple[int, str]) -> Tiers:
    return tuple((start, Decimal(price)) for start, price in prices)


LISTS: tuple[tuple[PriceList, Tiers], ...] = (
    (PriceList(list_id=BASE, currency="GBP"), tiers((1, "10.00"), (10, "9.00"))),
    (
        PriceList(list_id="trade", currency="GBP", priority=50, customer_groups=("trade",)),
        tiers((5, "8.75"), (20, "8.00")),
    ),
    (PriceList(list_id="spring", currency="GBP", kind="sale"), tiers((1, "9.50"))),
)
CHOICE_CASES: tuple[ChoiceCase, ...] = (
    ChoiceCase(
        name="2 trade 4",
        customer_groups=("trade",),
        quantity=4,
        list_id="spring",
        line_total=3800,
        was="10.00",
    ),
    ChoiceCase(name="2 trade 5", customer_groups=("trade",), quantity=5, list_id="trade", line_total=4375),
    ChoiceCase(name="2 trade 12", customer_groups=("trade",), quantity=12, list_id="trade", line_total=10500),
    ChoiceCase(name="2 trade 20", customer_groups=("trade",), quantity=20, list_id="trade", line_total=16000),
    ChoiceCase(
        name="2 others 4", customer_groups=(), quantity=4, list_id="spring", line_total=3800, was="10.00"
    ),
    ChoiceCase(name="2 others 12", customer_groups=(), quantity=12, list_id=BASE, line_total=10800),
)


@dataclass(frozen=True, kw_only=True)
class PriorCase:
    """A price's history, and the prior price that goes with its last change."""

    name: str
    points: tuple[tuple[datetime, int | None], ...]
    prior: int | None
    progressive: bool = False


def on(month: int, day: int, price: int | None) -> tuple[datetime, int | None]:
    return datetime(2026, month, day, tzinfo=UTC), price


HISTORY = (on(3, 1, 10000), on(5, 10, 8000), on(5, 20, 10000))
TWO_STEPS = (on(3, 1, 10000), on(6, 1, 7000), on(6, 10, 6000))
PRIOR_CASES: tuple[PriorCase, ...] = (
    PriorCase(name="25a", points=(*HISTORY, on(6, 1, 7000)), prior=8000),
    PriorCase(name="25b", points=(*HISTORY, on(6, 25, 7000)), prior=10000),
    PriorCase(name="in force just inside", points=(*HISTORY, on(6, 18, 7000)), prior=8000),
    PriorCase(name="over just before", points=(*HISTORY, on(6, 19, 7000)), prior=10000),
    PriorCase(name="risen since", points=(*HISTORY, on(6, 1, 7000), on(6, 10, 7500)), prior=None),
    PriorCase(name="twice the same", points=(*HISTORY, on(6, 1, 7000), on(6, 10, 7000)), prior=8000),
    PriorCase(name="a second step", points=TWO_STEPS, prior=7000),
    PriorCase(name="a second step, progressive", points=TWO_STEPS, prior=10000, progressive=True),
    PriorCase(name="never fell", points=(on(3, 1, 10000),), prior=None),
    PriorCase(name="back from nothing", points=(*HISTORY, on(6, 1, None), on(6, 2, 7000)), prior=None),
    PriorCase(
        name="nothing in between",
        points=(on(5, 10, 8000), on(5, 12, None), on(5, 20, 10000), on(6, 1, 7000)),
        prior=8000,
    ),
)
