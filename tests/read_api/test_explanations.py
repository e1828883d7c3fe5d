"""How an order's total came about, on its page and in a document of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from aggregates.kernel import UnitPrice
from aggregates.orders import order
from aggregates.orders.events import OrderPlaced
from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import Context, Destination, PricedLine, Traits
from aggregates.pricing.price import price
from aggregates.pricing.rules import (
    Action,
    Market,
    Promotion,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
    Terms,
)
from tests.shop.facts import NOON, placed
from tests.shop.views import ViewShop

VAT = TaxRate(tax_category="standard", components=(TaxComponent(name="VAT", percent=200_000),), label="VAT")
RULES = Terms(
    version=5,
    markets={"main": Market(market_id="main", countries=("GB",), currencies=("GBP",))},
    promotions={
        "spring10": Promotion(
            promotion_id="spring10", label="10 % off", action=Action(kind="percent_off", percent=100_000)
        )
    },
    tax_areas={"GB": TaxArea(area_id="GB", country="GB", rates=(VAT,))},
    shipping_methods={
        "post": ShippingMethod(method_id="post", label="Post", tiers=(ShippingTier(price={"GBP": 395}),))
    },
)


def explained() -> OrderPlaced:
    """Three mugs at 33.33 less ten percent, posted, with VAT inside."""
    context = Context(
        market="main", currency="GBP", at=NOON, destination=Destination(country="GB"), method_id="post"
    )
    lines = [
        PricedLine(
            line_id=str(number),
            sku=f"MUG-{number}",
            quantity=1,
            list_id="base",
            tiers=((1, Decimal("33.33")),),
            traits=Traits(),
        )
        for number in (1, 2, 3)
    ]
    decided = order.place(
        order.initial(),
        order_id="priced",
        number="N-1",
        channel="web",
        currency="GBP",
        lines=[
            order.Purchase(
                line_id=line.line_id,
                sku=line.sku,
                title="Mug",
                seller="house",
                quantity=1,
                unit_price=UnitPrice(Decimal("33.33"), "GBP"),
            )
            for line in lines
        ],
        placed_at=NOON,
        priced=price(lines, compile_terms(RULES), context),
        context=context,
    )
    (event,) = decided
    assert isinstance(event, OrderPlaced)
    return event


def pence(document: Any) -> int:
    assert document["currency"] == "GBP"
    amount: int = document["amount"]
    return amount


def test_an_order_explains_each_step_of_its_total(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(explained())
    shown = api.get("/api/v1/orders/priced/explanation").json()
    assert (shown["id"], shown["currency"], shown["total"]) == ("priced", "GBP", 9394)
    assert (shown["calculation"], shown["terms"], shown["at"]) == ("daybook-1", 5, "2026-03-01T12:00:00Z")
    assert [step["step"] for step in shown["steps"]] == ["cart_promotion", "shipping", "tax"]
    discount, _, tax = shown["steps"]
    assert discount == {
        "step": "cart_promotion",
        "rule": "spring10",
        "label": "10 % off",
        "base": 9999,
        "amount": -1000,
        "shares": {"1": -334, "2": -333, "3": -333},
        "rate": "10 %",
        "exact": "999.9",
    }
    assert (tax["amount"], tax["inside"]) == (1566, True)
    assert all(sum(step["shares"].values()) == step["amount"] for step in shown["steps"])
    assert shown["not_applied"] == []


def test_an_order_shows_what_each_line_and_shipping_came_to(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(explained())
    shown = api.get("/api/v1/orders/priced").json()
    assert [
        tuple(pence(line[part]) for part in ("line_total", "discount", "net", "tax", "paid"))
        for line in shown["lines"]
    ] == [(3333, 334, 2999, 500, 2999), (3333, 333, 3000, 500, 3000), (3333, 333, 3000, 500, 3000)]
    assert [pence(tax["amount"]) for tax in shown["taxes"]] == [1566]
    assert (pence(shown["shipping"]["rate"]), pence(shown["shipping"]["tax"])) == (395, 66)
    assert sum(pence(line["paid"]) for line in shown["lines"]) + 395 == pence(shown["total"])


def test_an_order_that_no_rule_had_a_part_in_has_nothing_to_explain(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.happens(placed("plain", "MUG", 2))
    shown = api.get("/api/v1/orders/plain/explanation").json()
    assert (shown["total"], shown["calculation"], shown["steps"]) == (2000, "line_half_even", [])
    assert (shown["terms"], shown["at"]) == (None, None)
    (line,) = api.get("/api/v1/orders/plain").json()["lines"]
    assert [pence(line[part]) for part in ("discount", "net", "tax", "paid")] == [0, 2000, 0, 2000]
