"""Carts and rules of sale made by chance, rich in edges: each from a number, and the same one every time.

Amounts lie around what the cart comes to, so that thresholds are just met or just missed; currencies have
none, two and three decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any, TypeVar

from aggregates.pricing.context import (
    Context,
    Destination,
    Exemption,
    Left,
    PricedLine,
    Shopper,
    TaxStatus,
    Traits,
)
from aggregates.pricing.rules import (
    BASE,
    CART_ACTIONS,
    LINE_ACTIONS,
    SHIPPING_ACTIONS,
    Action,
    ActionTier,
    BundlePart,
    Condition,
    Home,
    Market,
    PickupPoint,
    Promotion,
    Selector,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
    Terms,
    Tiers,
    Zone,
)

T = TypeVar("T")

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
TODAY = NOW.date()
SECOND = timedelta(seconds=1)
CURRENCIES = {"JPY": 0, "GBP": 2, "USD": 2, "KWD": 3}
SKUS = tuple(f"P-{number}" for number in range(8))
GIFTS = ("GIFT-1", "GIFT-2")
CATEGORIES = ("", "Kitchen", "Kitchen > Mugs", "Kitchen > Mugs > Tall", "Kitchenware", "Garden")
COLORS = ("red", "blue", "green")
SELLERS = ("", "acme", "zeta")
PRODUCT_GROUPS = (None, "shirts", "mugs")
TAX_CATEGORIES = ("standard", "standard", "books", "food", "stamps")
PERCENTS = (0, 1, 10_000, 50_000, 100_000, 125_000, 333_333, 500_000, 700_000, 999_999, 1_000_000)
TAX_PERCENTS = (0, 3_750, 40_000, 50_000, 70_000, 88_750, 99_750, 190_000, 200_000, 210_000, 1_000_000)
CUSTOMER_GROUPS = ("trade", "staff")
STEPS = {"lines": LINE_ACTIONS, "cart": CART_ACTIONS, "shipping": SHIPPING_ACTIONS}
COUNTRIES = ("GB", "US", "DE", "FR")
ELSEWHERE = "IT"
REGIONS = (None, "NY", "TX")
PREFIXES = (None, "10", "100", "75")


@dataclass(frozen=True)
class Cart:
    """What is priced."""

    lines: tuple[PricedLine, ...]
    terms: Terms
    context: Context


class Chance:
    """One number's choices."""

    def __init__(self, number: int) -> None:
        self.random = Random(number)
        self.currency = self.of(tuple(CURRENCIES))
        self.digits = CURRENCIES[self.currency]
        self.goods = 0  # about what the lines come to, in minor units

    def of(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def some(self, options: Sequence[T], most: int | None = None) -> tuple[T, ...]:
        """Some of the options, maybe none, in their order."""
        chosen = self.random.sample(range(len(options)), self.random.randint(0, most or len(options)))
        return tuple(options[index] for index in sorted(chosen))

    def maybe(self, in_hundred: int) -> bool:
        return self.random.randrange(100) < in_hundred

    def count(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def amount(self) -> int:
        """Minor units, around what the cart comes to or a part of it."""
        goods = self.goods
        around = (
            1,
            5,
            99,
            100,
            500,
            goods // 10,
            goods // 3,
            goods // 2,
            goods - 1,
            goods,
            goods + 1,
            3 * goods,
        )
        return max(0, self.of(around))

    def amounts(self) -> dict[str, int]:
        """An amount in the cart's currency, and maybe in another; seldom without the cart's."""
        if self.maybe(3):
            return {"CHF": self.amount()}
        return {"CHF": 7, self.currency: self.amount()} if self.maybe(10) else {self.currency: self.amount()}

    def unit_price(self) -> Decimal:
        exact = self.of(
            (
                self.count(0, 9),
                self.count(100, 100_000),
                self.count(1_000, 3_000_000),
                self.of((25_550, 33_330, 99_900, 99_990, 12_345, 50, 5)),
                10_000 * self.count(1, 60),
            )
        )  # of a ten thousandth of a major unit
        if self.currency == "JPY":
            exact *= 100
        finest = min(4, self.digits + self.of((0, 0, 1, 2)))
        return Decimal(exact // 10 ** (4 - finest)).scaleb(-finest)

    # Lines

    def traits(self) -> Traits | None:
        if self.maybe(4):
            return None
        return Traits(
            category=self.of(CATEGORIES),
            attributes={"color": self.of(COLORS)} if self.maybe(70) else {},
            seller=self.of(SELLERS),
            group=self.of(PRODUCT_GROUPS),
            tax_category=self.of(TAX_CATEGORIES),
            weight_grams=self.of((0, 1, 250, 500, 1300, 4999, 20_000)),
            ships=not self.maybe(15),
            discountable=not self.maybe(8),
            on_sale=self.maybe(20),
        )

    def tiers(self, quantity: int) -> Tiers:
        starts = [1]
        if self.maybe(10):
            starts = [self.count(1, quantity)]
        elif self.maybe(3):  # fewer units than the tiers are for
            starts = [quantity + 1]
        for _ in range(self.of((0, 0, 1, 2))):
            starts.append(starts[-1] + self.count(1, 10))
        return tuple((start, self.unit_price()) for start in starts)

    def line(self, number: int, sku: str, quantity: int, gift_of: str | None = None) -> PricedLine:
        return PricedLine(
            line_id=str(number),
            sku=sku,
            quantity=quantity,
            list_id=BASE,
            tiers=self.tiers(quantity),
            traits=self.traits(),
            gift_of=gift_of,
        )

    def goods_lines(self) -> list[PricedLine]:
        lines = []
        for number in range(self.of((1, 1, 2, 2, 3, 3, 4, 5, 8, 12))):
            quantity = self.of((1, 1, 1, 2, 2, 3, 4, 5, 6, 10, 12, 25))
            line = self.line(number + 1, self.of(SKUS), 999 if self.maybe(2) else quantity)
            if lines and self.maybe(15):  # the same price again: a tie
                line = PricedLine(
                    line_id=line.line_id,
                    sku=line.sku,
                    quantity=lines[-1].quantity,
                    list_id=BASE,
                    tiers=lines[-1].tiers,
                    traits=line.traits,
                )
            lines.append(line)
        for line in lines:
            price = [line.tiers[0][1], *(price for start, price in line.tiers if start <= line.quantity)][-1]
            self.goods += int(price.scaleb(self.digits) * line.quantity)
        return lines

    # Promotions

    def selector(self) -> Selector:
        if self.maybe(45):
            return Selector()
        return Selector(
            skus=self.some(SKUS, 4) if self.maybe(40) else (),
            groups=self.some(("shirts", "mugs")) if self.maybe(15) else (),
            categories=self.some(CATEGORIES[1:], 2) if self.maybe(30) else (),
            attributes={"color": self.some(COLORS) or ("red",)} if self.maybe(15) else {},
            sellers=self.some(SELLERS[1:]) if self.maybe(10) else (),
            not_skus=self.some(SKUS, 2) if self.maybe(15) else (),
            not_categories=self.some(CATEGORIES[1:], 1) if self.maybe(15) else (),
            not_on_sale=self.maybe(10),
        )

    def condition(self, *, nested: bool = False) -> Condition:
        match self.of(("amount", "amount", "quantity", "quantity", "first", "groups", "countries", "any")):
            case "amount":
                return Condition(kind="amount_at_least", selector=self.selector(), amount=self.amounts())
            case "first":
                return Condition(kind="first_order")
            case "groups":
                return Condition(
                    kind="customer_groups", customer_groups=self.some(CUSTOMER_GROUPS) or ("trade",)
                )
            case "countries":
                return Condition(kind="countries", countries=self.some(COUNTRIES) or ("GB",))
            case "any" if not nested:
                return Condition(
                    kind="any_of", any_of=tuple(self.condition(nested=True) for _ in range(self.count(1, 3)))
                )
            case _:
                return Condition(
                    kind="quantity_at_least", selector=self.selector(), quantity=self.count(1, 8)
                )

    def amount_tiers(self, kind: str) -> tuple[ActionTier, ...]:
        starts = sorted({self.amount() for _ in range(self.count(1, 3))})
        return tuple(
            ActionTier(from_amount={self.currency: start}, percent=self.of(PERCENTS))
            if kind == "percent_off"
            else ActionTier(from_amount={self.currency: start}, amount=self.amounts())
            for start in starts
        )

    def action(self, promotion_id: str) -> Action:
        kind: Any = self.of(
            (
                *["percent"] * 3,
                "per_unit",
                "unit_price",
                *["buy_get"] * 3,
                *["bundle"] * 3,
                *["percent_off"] * 3,
                *["amount_off"] * 3,
                *["gift"] * 2,
                "shipping_percent",
                "shipping_amount",
                "shipping_price",
            )
        )
        percent = self.of(PERCENTS[1:])
        match kind:
            case "percent":
                starts = sorted({self.count(1, 12) for _ in range(self.of((0, 0, 1, 3)))})
                tiers = tuple(ActionTier(quantity=start, percent=self.of(PERCENTS)) for start in starts)
                by: Any = self.of(("line", "selection"))
                return Action(kind=kind, selector=self.selector(), percent=percent, tiers=tiers, tiers_by=by)
            case "per_unit":
                return Action(kind=kind, selector=self.selector(), amount=self.amounts())
            case "unit_price":
                return Action(kind=kind, selector=self.selector(), price=self.amounts())
            case "buy_get":
                same = self.selector()
                spread: Any = self.of(("all", "rewarded"))
                return Action(
                    kind=kind,
                    buy=same,
                    buy_quantity=self.count(1, 4),
                    get=same if self.maybe(50) else self.selector(),
                    get_quantity=self.count(1, 3),
                    percent=percent,
                    times_max=self.of((None, None, 1, 2)),
                    spread=spread,
                )
            case "bundle":
                parts = tuple(
                    BundlePart(selector=self.selector(), quantity=self.count(1, 3))
                    for _ in range(self.count(1, 3))
                )
                how = self.of(({"price": self.amounts()}, {"amount": self.amounts()}, {"percent": percent}))
                facts: Any = how
                return Action(kind=kind, parts=parts, times_max=self.of((None, None, 1, 2)), **facts)
            case "percent_off":
                tiers = self.amount_tiers(kind) if self.maybe(25) else ()
                return Action(kind=kind, selector=self.selector(), percent=percent, tiers=tiers)
            case "amount_off":
                tiers = self.amount_tiers(kind) if self.maybe(25) else ()
                return Action(kind=kind, selector=self.selector(), amount=self.amounts(), tiers=tiers)
            case "gift":
                return Action(kind=kind, skus=self.some(GIFTS) or GIFTS[:1], quantity=self.of((1, 1, 2)))
            case "shipping_percent":
                return Action(kind=kind, percent=percent)
            case "shipping_amount":
                return Action(kind=kind, amount={self.currency: self.of((1, 100, 200, 10_000))})
            case _:
                return Action(kind=kind, price={self.currency: self.of((0, 1, 199, 10_000))})

    def promotion(self, number: int) -> Promotion:
        promotion_id = f"{self.of('abz')}{number}"
        action = self.action(promotion_id)
        group = None
        if self.maybe(40):
            step = (
                "line" if action.kind in LINE_ACTIONS else "cart" if action.kind in CART_ACTIONS else "ship"
            )
            group = f"{step}-{self.of(('best', 'best', 'first'))}"
        mode: Any = "first" if group is not None and group.endswith("first") else "best"
        guests: Any = self.of(("refuse", "by_email"))
        return Promotion(
            promotion_id=promotion_id,
            label=f"Promotion {number}",
            action=action,
            automatic=not self.maybe(30),
            starts_at=self.of((None, None, None, NOW - SECOND, NOW, NOW + SECOND))
            if self.maybe(30)
            else None,
            ends_at=self.of((NOW, NOW + SECOND, NOW + timedelta(days=1))) if self.maybe(20) else None,
            markets=self.of((("main",), ("main", "other"), ("other",))) if self.maybe(10) else (),
            priority=self.of((100, 100, 100, 50, 200, -1)),
            group=group,
            group_mode=mode,
            exclusive=self.maybe(15),
            conditions=tuple(self.condition() for _ in range(self.of((0, 0, 0, 1, 1, 2)))),
            uses_max=5 if self.maybe(20) else None,
            uses_per_shopper_max=self.of((1, 2)) if self.maybe(15) else None,
            budget=self.amounts() if self.maybe(15) else {},
            cap=self.amounts() if self.maybe(20) else {},
            guests=guests,
        )

    # Tax

    def rate(self, category: str, **dates: date) -> TaxRate:
        components = tuple(
            TaxComponent(
                name=f"c{number}", percent=self.of(TAX_PERCENTS), compound=number > 1 and self.maybe(50)
            )
            for number in range(1, 1 + self.of((1, 1, 1, 2, 3)))
        )
        return TaxRate(tax_category=category, components=components, **dates)

    def rates(self) -> tuple[TaxRate, ...]:
        found = []
        for category in ("standard", *self.some(("books", "food", "shipping"))):
            if category == "standard" and self.maybe(2):
                continue
            if self.maybe(20):  # another rate from today, or from tomorrow
                turn = self.of((TODAY, TODAY + timedelta(days=1)))
                found += [self.rate(category, ends_on=turn), self.rate(category, starts_on=turn)]
            else:
                found.append(self.rate(category))
        return tuple(found)

    def area(self, area_id: str, country: str, **narrower: Any) -> TaxArea:
        rounded: Any = self.of(("each", "together"))
        sourcing: Any = "origin" if self.maybe(20) else "destination"
        return TaxArea(
            area_id=area_id,
            country=country,
            rates=self.rates(),
            components_rounded=rounded,
            sourcing=sourcing,
            **narrower,
        )

    def areas(self) -> list[TaxArea]:
        if self.maybe(4):
            return []
        found = [self.area(country, country) for country in (*COUNTRIES, ELSEWHERE) if self.maybe(95)]
        if self.maybe(40):
            found.append(self.area("US-NY", "US", regions=("NY",)))
        if self.maybe(30):
            found.append(self.area("US-TX", "US", regions=("TX", "OK")))
        if self.maybe(30):
            found.append(self.area("US-10", "US", postal_prefixes=("10", "75")))
        if self.maybe(30):
            found.append(self.area("US-100", "US", regions=("NY",), postal_prefixes=("100",)))
        if self.maybe(20) and found:  # two areas with the very same rates
            found.append(TaxArea(area_id="twin", country="DE", regions=("NY",), rates=found[0].rates))
        return found

    def market(self, areas: Sequence[TaxArea]) -> Market:
        pricing: Any = self.of(("exclusive", "inclusive", "inclusive_by_country"))
        if pricing == "inclusive_by_country" and not areas:
            pricing = "inclusive"
        shipping_tax: Any = self.of(("proportional", "proportional", "highest", "category", "none"))
        return Market(
            market_id="main",
            countries=COUNTRIES,
            currencies=(self.currency,),
            tax_pricing=pricing,
            shipping_tax=shipping_tax,
            reference_area=self.of(areas).area_id if pricing == "inclusive_by_country" else None,
        )

    def tax_status(self, areas: Sequence[TaxArea]) -> TaxStatus | None:
        if not self.maybe(30):
            return None
        exemptions = tuple(
            Exemption(
                area_id=area.area_id,
                tax_categories=self.some(("standard", "books", "shipping")),
                until=self.of((None, TODAY, TODAY - timedelta(days=1), TODAY + timedelta(days=1))),
            )
            for area in areas
            if self.maybe(40)
        )
        return TaxStatus(reverse_charge=self.maybe(40), exemptions=exemptions)

    # Shipping

    def zone(self) -> Zone:
        return Zone(
            country=self.of(COUNTRIES),
            regions=("NY", "TX") if self.maybe(20) else (),
            postal_prefixes=("10", "75") if self.maybe(20) else (),
            except_regions=("TX",) if self.maybe(20) else (),
            except_postal_prefixes=("100",) if self.maybe(20) else (),
        )

    def method(self, method_id: str) -> ShippingMethod:
        by: Any = self.of(("weight_grams", "weight_grams", "amount", "quantity"))
        starts = [0 if self.maybe(90) else self.count(1, 3)]
        for _ in range(self.of((0, 1, 2))):
            starts.append(starts[-1] + self.of((1, 2, 5, 500, 5000)))
        if by == "amount":
            starts = sorted({0, self.amount(), self.amount()})
        tiers = []
        for start in starts:
            step = self.of((1, 2, 500)) if by != "amount" and self.maybe(40) else None
            price = {self.currency: self.of((0, 1, 195, 300, 395, 500, 600, 895))}
            tiers.append(
                ShippingTier(
                    price=price,
                    at_least=0 if by == "amount" else start,
                    from_amount={self.currency: start} if by == "amount" else {},
                    step=step,
                    step_price={} if step is None else {self.currency: self.of((1, 80))},
                )
            )
        return ShippingMethod(
            method_id=method_id,
            label=method_id,
            markets=self.of((("main",), ("other",))) if self.maybe(10) else (),
            zones=tuple(self.zone() for _ in range(self.count(1, 2))) if self.maybe(25) else (),
            by=by,
            tiers=tuple(tiers),
            free_from=self.amounts() if self.maybe(30) else {},
            tax_category=self.of(("standard", "standard", "books", "shipping", "stamps")),
            points=tuple(
                PickupPoint(point_id=country, label=country, country=country)
                for country in self.some(COUNTRIES)
            )
            if self.maybe(10)
            else (),
        )

    def method_id(self, methods: Sequence[ShippingMethod]) -> str | None:
        if self.maybe(85):
            return self.of(methods).method_id
        return "gone" if self.maybe(50) else None

    def shopper(self, promotions: Sequence[Promotion]) -> Shopper | None:
        if self.maybe(40):
            return None
        return Shopper(
            orders=self.of((0, 0, 1, 7)),
            uses={each.promotion_id: self.of((0, 1, 2)) for each in promotions if self.maybe(30)},
            guest=self.maybe(40),
        )

    def left(self, promotion: Promotion) -> Left | None:
        """None for what has no limit."""
        if promotion.uses_max is None and not promotion.budget:
            return None
        return Left(
            uses=None if promotion.uses_max is None else self.of((0, 1, 5)),
            budget=self.of((0, self.amount(), 10 * self.goods)) if promotion.budget else None,
        )


@lru_cache(maxsize=2048)  # `make mutants` tries each in a fork of a process that has made them
def cart(number: int) -> Cart:
    """The cart of a number, with its terms and context."""
    chance = Chance(number)
    lines = chance.goods_lines()
    promotions = [chance.promotion(index) for index in range(chance.of((0, 1, 2, 3, 4, 5, 6, 8, 12)))]
    gifts = [each for each in promotions if each.action.kind == "gift"]
    for each in gifts:
        if chance.maybe(75):
            quantity = each.action.quantity + (1 if chance.maybe(4) else 0)
            sku = chance.of(GIFTS if chance.maybe(4) else each.action.skus)
            gift = chance.line(len(lines) + 1, sku, quantity, gift_of=each.promotion_id)
            lines.insert(chance.count(0, len(lines)), gift)
    areas = chance.areas()
    methods = [chance.method(f"m{index}") for index in range(chance.of((0, 1, 1, 2)))]
    for rules in (promotions, areas, methods):
        chance.random.shuffle(rules)
    home = Home(
        country=chance.of(COUNTRIES),
        region=chance.of(REGIONS),
        postal_code=chance.of((None, "10012", "75001")),
    )
    destination = Destination(
        country=ELSEWHERE if chance.maybe(3) else chance.of(("US", *COUNTRIES)),
        region=chance.of(REGIONS),
        postal_prefix=chance.of(PREFIXES),
    )
    coupons = [each for each in promotions if not each.automatic and chance.maybe(75)]
    left = {each.promotion_id: chance.left(each) for each in promotions}
    return Cart(
        lines=tuple(lines),
        terms=Terms(
            version=57,
            home=None if chance.maybe(20) else home,
            markets={} if chance.maybe(8) else {"main": chance.market(areas)},
            promotions={each.promotion_id: each for each in promotions},
            tax_areas={each.area_id: each for each in areas},
            shipping_methods={each.method_id: each for each in methods},
        ),
        context=Context(
            market="main",
            currency=chance.currency,
            at=NOW,
            customer_groups=chance.some(CUSTOMER_GROUPS),
            shopper=chance.shopper(promotions),
            codes={f"CODE-{index}": each.promotion_id for index, each in enumerate(coupons)},
            left={promotion_id: each for promotion_id, each in left.items() if each is not None},
            destination=None if chance.maybe(12) else destination,
            method_id=None if not methods else chance.method_id(methods),
            tax_status=chance.tax_status(areas),
            declined_gifts=tuple(each.promotion_id for each in gifts if chance.maybe(10)),
        ),
    )
