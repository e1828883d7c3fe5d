"""What pricing a cart costs: CPU time of one core, explanation included, against what it is to reach.

The mix of promotions is that of a shop in the middle of a sale: 200 are active and about 50 apply.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from aggregates.pricing.compiled_terms import CompiledTerms, compile_terms
from aggregates.pricing.context import Context, Destination, PricedLine, Shopper, Traits
from aggregates.pricing.explanation import Priced
from aggregates.pricing.matching import tokens
from aggregates.pricing.price import price
from aggregates.pricing.rules import (
    BASE,
    MAIN_MARKET,
    WHOLE,
    Action,
    Condition,
    Market,
    Promotion,
    Selector,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
    Terms,
)

SKUS = 3_000
CATEGORIES = tuple(f"{above} > {below}" for above in "ABCDE" for below in range(1, 9))
CALLS = 2_000
PERCENT = WHOLE // 100
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CONTEXT = Context(
    market=MAIN_MARKET,
    currency="GBP",
    at=NOON,
    shopper=Shopper(orders=3),
    destination=Destination(country="GB"),
    method_id="parcel",
)


def main() -> None:
    """Prints the table."""
    begun, many = time.thread_time(), compile_terms(terms_with(promotions()))
    compiled = time.thread_time() - begun
    none = compile_terms(Terms(version=1))
    plain = Context(market=MAIN_MARKET, currency="GBP", at=NOON)
    print("| cart | applied | CPU µs, median | p99 | at most |\n| --- | ---: | ---: | ---: | ---: |")
    for name, lines, terms, context, most in (
        ("50 lines, 200 promotions", cart_of(50), many, CONTEXT, 1_500),
        ("3 lines, 200 promotions", cart_of(3), many, CONTEXT, 200),
        ("3 lines, no rules", cart_of(3), none, plain, 30),
        ("50 lines, no rules", cart_of(50), none, plain, None),
    ):
        microseconds, priced = measured(lines, terms, context)
        p50, p99 = statistics.median(microseconds), statistics.quantiles(microseconds, n=100)[98]
        print(f"| {name} | {len(priced.claims)} | {p50:,.0f} | {p99:,.0f} | {most or ''} |")
    print(f"\ncompiling the terms, once per version: {compiled * 1e3:.1f} ms")


def measured(
    lines: Sequence[PricedLine], terms: CompiledTerms, context: Context
) -> tuple[list[float], Priced]:
    """The CPU microseconds of each call, and what they came to."""
    priced = price(lines, terms, context)
    took = []
    for _ in range(CALLS):
        begun = time.thread_time_ns()
        again = price(lines, terms, context)
        explained = again.explanation
        took.append((time.thread_time_ns() - begun) / 1e3)
    if (again, explained) != (priced, priced.explanation):
        raise SystemExit("the same cart costs something else the second time")
    return took, priced


def cart_of(lines: int) -> list[PricedLine]:
    """So many lines of 1 to 5 units, as a cart's fold keeps them."""
    chance = random.Random(11)
    cart = []
    for number, sku in enumerate(chance.sample(range(SKUS), lines), start=1):
        traits = Traits(
            category=chance.choice(CATEGORIES),
            attributes={"color": chance.choice(("red", "blue")), "size": chance.choice("SML")},
            seller=chance.choice(("anna", "boris")),
            tax_category=chance.choice(("standard", "standard", "books")),
            weight_grams=chance.randint(50, 900),
        )
        cart.append(
            PricedLine(
                line_id=str(number),
                sku=f"SKU-{sku}",
                quantity=chance.randint(1, 5),
                list_id=BASE,
                tiers=((1, Decimal(chance.randint(199, 9_999)).scaleb(-2)),),
                traits=traits,
                tokens=tokens(f"SKU-{sku}", traits),
            )
        )
    return cart


def promotions() -> list[Promotion]:
    """150 by SKU, 20 by category of which the best counts, 10 buy 2 get 1, 12 on the cart of which the best
    counts, 5 on shipping, 3 exclusive."""
    chance = random.Random(12)

    def by_skus(number: int) -> Action:
        skus = tuple(f"SKU-{sku}" for sku in chance.sample(range(SKUS), 20))
        return Action(kind="percent", selector=Selector(skus=skus), percent=chance.randint(5, 20) * PERCENT)

    def by_category(number: int) -> Action:
        selector = Selector(categories=(CATEGORIES[number * 2],))
        return Action(kind="percent", selector=selector, percent=chance.randint(5, 20) * PERCENT)

    def third_free(number: int) -> Action:
        selector = Selector(categories=(CATEGORIES[number * 4 + 1],))
        return Action(
            kind="buy_get", buy=selector, buy_quantity=2, get=selector, get_quantity=1, percent=WHOLE
        )

    def on_cart(number: int) -> Action:
        if number % 2:
            return Action(kind="amount_off", amount={"GBP": 100 * number})
        return Action(kind="percent_off", percent=number * PERCENT // 2)

    def on_shipping(number: int) -> Action:
        return Action(kind="shipping_percent", percent=(number + 1) * 5 * PERCENT)

    def at_least(number: int) -> tuple[Condition, ...]:
        return (Condition(kind="amount_at_least", amount={"GBP": max(1, number * 1_000)}),)

    def promotion(kind: str, number: int, action: Action, **facts: object) -> Promotion:
        name = f"{kind}-{number}"
        return Promotion(promotion_id=name, label=f"Offer {name}", action=action, **facts)  # type: ignore[arg-type]

    return [
        *(promotion("sku", number, by_skus(number)) for number in range(150)),
        *(promotion("category", number, by_category(number), group="category") for number in range(20)),
        *(promotion("third", number, third_free(number)) for number in range(10)),
        *(
            promotion("cart", number, on_cart(number), group="cart", conditions=at_least(number))
            for number in range(1, 13)
        ),
        *(
            promotion("shipping", number, on_shipping(number), conditions=at_least(number * 5))
            for number in range(5)
        ),
        *(
            promotion(
                "exclusive", number, Action(kind="percent_off", percent=number * PERCENT), exclusive=True
            )
            for number in range(1, 4)
        ),
    ]


def terms_with(promotions: Sequence[Promotion]) -> Terms:
    """The promotions in a market with shipping and two rates of tax that prices contain."""
    rates = {"standard": 20, "books": 5}
    return Terms(
        version=57,
        markets={
            MAIN_MARKET: Market(
                market_id=MAIN_MARKET, countries=("GB",), currencies=("GBP",), label="Britain"
            )
        },
        promotions={one.promotion_id: one for one in promotions},
        tax_areas={
            "GB": TaxArea(
                area_id="GB",
                country="GB",
                rates=tuple(
                    TaxRate(
                        tax_category=category,
                        label="VAT",
                        components=(TaxComponent(name="VAT", percent=percent * PERCENT),),
                    )
                    for category, percent in rates.items()
                ),
            )
        },
        shipping_methods={
            "parcel": ShippingMethod(
                method_id="parcel",
                label="Parcel",
                tiers=(
                    ShippingTier(price={"GBP": 395}),
                    ShippingTier(at_least=2_000, price={"GBP": 595}),
                    ShippingTier(at_least=5_000, price={"GBP": 895}, step=500, step_price={"GBP": 80}),
                ),
            )
        },
    )


if __name__ == "__main__":
    main()
