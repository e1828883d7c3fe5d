"""Rules of sale as a real shop has them: two markets, their taxes, and 200 promotions."""

from __future__ import annotations

from datetime import UTC, date, datetime

from aggregates.pricing.rules import (
    Action,
    ActionTier,
    BundlePart,
    Condition,
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

PERCENT = 10_000
"""Parts per million."""
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
KITCHEN = Selector(categories=("Kitchen",))

BRITAIN = Market(market_id="gb", countries=("GB",), currencies=("GBP",), label="Great Britain")
AMERICA = Market(
    market_id="us", countries=("US",), currencies=("USD",), locales=("en-US",), tax_pricing="exclusive"
)
VAT = TaxArea(
    area_id="gb",
    country="GB",
    rates=(
        TaxRate(tax_category="standard", components=(TaxComponent(name="VAT", percent=20 * PERCENT),)),
        TaxRate(tax_category="books", components=(TaxComponent(name="VAT", percent=0),)),
    ),
)
TEXAS = TaxArea(
    area_id="tx",
    country="US",
    regions=("TX",),
    sourcing="origin",
    rates=(
        TaxRate(
            tax_category="standard",
            components=(
                TaxComponent(name="State", percent=62_500),
                TaxComponent(name="Austin", percent=10_000),
            ),
            starts_on=date(2026, 1, 1),
        ),
    ),
)
TRADE = PriceList(list_id="trade", currency="GBP", customer_groups=("trade",), priority=50)
SPRING = PriceList(list_id="spring", currency="GBP", kind="sale", label="Spring", starts_at=MAY, ends_at=JUNE)
POST = ShippingMethod(
    method_id="post",
    label="Post",
    markets=("gb",),
    zones=(Zone(country="GB", except_postal_prefixes=("BT",)),),
    tiers=(
        ShippingTier(price={"GBP": 395}),
        ShippingTier(price={"GBP": 595}, at_least=2_000),
        ShippingTier(price={"GBP": 895}, at_least=5_000, step=500, step_price={"GBP": 80}),
    ),
    free_from={"GBP": 5_000},
    days=(2, 4),
)


def ten_percent(promotion_id: str = "ten", **facts: object) -> Promotion:
    """10 % off the cart."""
    action = Action(kind="percent_off", percent=10 * PERCENT)
    return Promotion(**({"promotion_id": promotion_id, "label": "10 % off", "action": action} | facts))  # type: ignore[arg-type]


def promotions() -> list[Promotion]:
    """200: 150 by 20 SKUs of 3,000, 20 by category and 12 on the cart in a best group each, 10 buy 2 get 1,
    5 on shipping, 3 exclusive."""
    found = [
        Promotion(
            promotion_id=f"skus{n}",
            label=f"{5 + n % 20} % off",
            action=Action(
                kind="percent",
                selector=Selector(skus=tuple(f"S{(n * 20 + k) % 3_000}" for k in range(20))),
                percent=(5 + n % 20) * PERCENT,
            ),
        )
        for n in range(150)
    ]
    found += [
        Promotion(
            promotion_id=f"category{n}",
            label="Off the shelf",
            action=Action(
                kind="per_unit", selector=Selector(categories=(f"C{n}",)), amount={"GBP": 100, "USD": 120}
            ),
            group="shelf",
            priority=200 - n,
        )
        for n in range(20)
    ]
    found += [
        Promotion(
            promotion_id=f"cart{n}",
            label="Off the cart",
            action=Action(kind="amount_off", amount={"GBP": 100 * (n + 1)}),
            conditions=(Condition(kind="amount_at_least", amount={"GBP": 2_000 * (n + 1)}),),
            group="cart",
        )
        for n in range(12)
    ]
    found += [
        Promotion(
            promotion_id=f"buy{n}",
            label="Buy 2 get 1 free",
            action=Action(
                kind="buy_get",
                buy=Selector(attributes={"brand": (f"B{n}",)}),
                buy_quantity=2,
                get=Selector(attributes={"brand": (f"B{n}",)}),
                get_quantity=1,
                percent=100 * PERCENT,
            ),
        )
        for n in range(10)
    ]
    found += [
        Promotion(
            promotion_id=f"shipping{n}",
            label="Cheaper delivery",
            action=Action(kind="shipping_percent", percent=(10 + n) * PERCENT),
            automatic=n > 2,
            uses_max=1_000,
        )
        for n in range(5)
    ]
    found += [ten_percent(f"only{n}", exclusive=True, automatic=False) for n in range(3)]
    return found


def unusual() -> list[Promotion]:
    """One of each kind that is not among the 200."""
    tiers = (ActionTier(quantity=3, percent=50_000), ActionTier(quantity=6, percent=100_000))
    sums = (
        ActionTier(from_amount={"GBP": 5_000}, amount={"GBP": 500}),
        ActionTier(from_amount={"GBP": 9_000}, amount={"GBP": 1_000}),
    )
    either = Condition(
        kind="any_of",
        any_of=(
            Condition(kind="first_order"),
            Condition(kind="customer_groups", customer_groups=("trade",)),
            Condition(kind="countries", countries=("GB",)),
            Condition(kind="quantity_at_least", selector=KITCHEN, quantity=3),
        ),
    )
    return [
        ten_percent("tiers", action=Action(kind="percent", tiers=tiers, tiers_by="selection")),
        ten_percent("sums", action=Action(kind="amount_off", tiers=sums)),
        ten_percent("price", action=Action(kind="unit_price", selector=KITCHEN, price={"GBP": 500})),
        ten_percent(
            "bundle",
            action=Action(
                kind="bundle", parts=(BundlePart(selector=KITCHEN, quantity=3),), price={"GBP": 2_000}
            ),
        ),
        ten_percent("gift", action=Action(kind="gift", skus=("MUG", "TEA")), conditions=(either,)),
        ten_percent(
            "free", action=Action(kind="shipping_price", price={"GBP": 0}), starts_at=MAY, ends_at=JUNE
        ),
        ten_percent(
            "less", action=Action(kind="shipping_amount", amount={"GBP": 100}), budget={"GBP": 9_000}
        ),
        ten_percent("capped", cap={"GBP": 800}, markets=("gb",), uses_per_shopper_max=1, guests="by_email"),
    ]
