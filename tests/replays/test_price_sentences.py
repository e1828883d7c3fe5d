"""An order's total, part by part, in the words of its history."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from aggregates.pricing.context import Treatment
from aggregates.pricing.explanation import Explanation, Step, TaxTotal
from event_store.memory.log import MemoryLog
from projections.views.explanations import evolve
from replays.order.history import load_history
from replays.order.moments import NOW
from replays.order.price_sentences import explained
from replays.order.report import in_words
from tests.commands.test_priced_carts import MARKET, POST, TEN, VAT, opened, rules
from tests.credit.test_refunds import happened, refund
from tests.shop.facts import CODEC, NOON, placed
from tests.shop.http import CHECKOUT, key, open_shop

LIMITED = TEN | {"uses_max": 5}
FREE_POST = {
    "promotion_id": "cheap-post",
    "label": "Cheaper post",
    "action": {"kind": "shipping_amount", "amount": {"GBP": 95}},
}


async def told(folder: Path, *, tax_included: bool) -> list[str]:
    """The history of an order with everything that makes a price, line by line."""
    market = MARKET | {"tax_pricing": "inclusive" if tax_included else "exclusive"}
    log = MemoryLog()
    async with open_shop(log, folder) as shop:
        home = {"country": "GB", "tax_included": tax_included}
        assert (await shop.client.put("/api/v1/home", json=home)).status_code == 201
        await shop.product("MUG", units=9, pence=1000)
        await shop.product("JUG", units=9, pence=777)
        await rules(
            shop,
            markets=[market],
            tax_areas=[VAT],
            shipping_methods=[POST],
            promotions=[LIMITED, FREE_POST],
            coupons=[{"code": "TEN", "promotion_id": "ten", "uses_max": 3}],
        )
        cart_id = await opened(shop, "uk", MUG=3, JUG=1)
        await shop.post(f"/carts/{cart_id}/coupons", {"code": "TEN"})
        delivery = {"country": "GB", "method_id": "post"}
        await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
        placed = await shop.checkout(cart_id)
        assert placed.status_code == 201, placed.text
        order_id = placed.json()["id"]
    return [line.strip() for line in in_words(load_history(log, CODEC, order_id), NOW).splitlines()]


def test_each_part_of_a_total_is_told(tmp_path: Path) -> None:
    words = asyncio.run(told(tmp_path, tax_included=True))
    for line in (
        "3 × Product MUG (MUG) at 10.00 GBP = 30.00 GBP, 3.00 GBP off, 27.00 GBP paid",
        "discount 10 % off (ten), 10 % of 37.77 GBP: -3.78 GBP"
        " (Product MUG -3.00 GBP, Product JUG -0.78 GBP)",
        "shipping Royal Mail (post): 3.95 GBP",
        "discount Cheaper post (cheap-post): -0.95 GBP (shipping -0.95 GBP)",
        "tax VAT 20 % (GB/standard), 6.17 GBP inside 36.99 GBP",
        "one use of the coupon TEN was claimed",
        "one use of ten was claimed, over 3.78 GBP",
        "priced by version 6 of the rules",
    ):
        assert line in words, "\n".join(words)
    assert any(
        line.endswith("The cart was priced by version 6 of the rules: 36.99 GBP in all.") for line in words
    )


def test_tax_that_comes_on_top_is_told_so(tmp_path: Path) -> None:
    words = asyncio.run(told(tmp_path, tax_included=False))
    assert "tax VAT 20 % (GB/standard), 20 % of 36.99 GBP on top: 7.40 GBP" in words, "\n".join(words)


TEXAS = {
    "area_id": "tx",
    "country": "US",
    "regions": ["TX"],
    "rates": [
        {
            "tax_category": "standard",
            "components": [{"name": "State", "percent": 6.25}, {"name": "Austin", "percent": 2}],
        }
    ],
}
ANN = {
    "name": "Ann Example",
    "line1": "1 Main St",
    "city": "Austin",
    "region": "TX",
    "postal_code": "78701",
    "country": "US",
}
GROUND = {
    "method_id": "ground",
    "label": "Ground",
    "markets": ["us"],
    "zones": [{"country": "US"}],
    "tiers": [{"price": {"USD": 595}}],
}


async def sold_in_texas(folder: Path, log: MemoryLog) -> str:
    """An order with tax on top, paid by a gift card of 10.00 first, and sent; one unit is refunded, then all
    that is left."""
    async with open_shop(log, folder) as shop:
        home = {"country": "US", "region": "TX", "tax_included": False}
        assert (await shop.client.put("/api/v1/home", json=home)).status_code == 201
        await shop.product("MUG", units=9, pence=1999, currency="USD")
        await shop.product("SOAP", units=9, pence=450, currency="USD")
        market = {"market_id": "us", "countries": ["US"], "currencies": ["USD"], "tax_pricing": "exclusive"}
        ten = TEN | {"automatic": True}
        await rules(shop, markets=[market], tax_areas=[TEXAS], shipping_methods=[GROUND], promotions=[ten])
        worth = {"amount": {"amount": 1000, "currency": "USD"}}
        card = (await shop.post("/gift-cards", worth, **key())).json()
        cart_id = (await shop.post("/carts", {"currency": "USD", "market": "us"})).json()["id"]
        for sku, quantity in (("MUG", 1), ("SOAP", 3)):
            await shop.post(f"/carts/{cart_id}/items", {"sku": sku, "quantity": quantity})
        delivery = {"country": "US", "region": "TX", "postal_code": "78701", "method_id": "ground"}
        await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
        body = CHECKOUT | {"shipping_address": ANN, "credits": [{"code": card["code"]}]}
        placed = await shop.post(f"/carts/{cart_id}/checkout", body, **key(), Prefer="wait=10")
        assert placed.status_code == 201, placed.text
        order_id: str = placed.json()["id"]
        await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
        await happened(shop, "payments.payment_captured")
        for what in ({"lines": [{"line_id": "2", "quantity": 1}]}, {"all": True}):
            answer = await refund(shop, order_id, **what)
            assert answer.status_code == 201, answer.text
    return order_id


def test_a_bookkeeper_can_add_up_an_order_with_tax_on_top_and_its_credit_notes(tmp_path: Path) -> None:
    log = MemoryLog()
    order_id = asyncio.run(sold_in_texas(tmp_path, log))
    words = [line.strip() for line in in_words(load_history(log, CODEC, order_id), NOW).splitlines()]
    gift = next(word for word in words if word.startswith("gift card ")).split()[2]
    for line in (
        "total 39.07 USD",
        f"gift card {gift} paid 10.00 USD, got 10.00 USD back",
        "captured 29.07 USD",
        "refunded 29.07 USD",
        "1 × Product MUG (MUG) at 19.99 USD = 19.99 USD, 2.00 USD off, +1.49 USD of tax, 19.48 USD paid",
        "3 × Product SOAP (SOAP) at 4.50 USD = 13.50 USD, 1.35 USD off, +1.00 USD of tax, 13.15 USD paid",
        "shipping Ground (ground): 5.95 USD",
        "tax State 6.25 % + Austin 2 % (tx/standard), 8.25 % of 36.09 USD on top: 2.98 USD"
        " (State 2.26 USD, Austin 0.72 USD)",
        f"10.00 USD paid by gift card {gift}",
        "29.07 USD paid by card",
        "of it tax State 6.25 % + Austin 2 %: 0.33 USD on 4.05 USD",
        "of it tax State 6.25 % + Austin 2 %: 2.65 USD on 32.04 USD",
        "24.69 USD to card",
        f"10.00 USD to gift card {gift}",
    ):
        assert line in words, "\n".join(words)


def test_the_goods_and_the_steps_of_an_explanation_come_to_its_total(tmp_path: Path) -> None:
    log = MemoryLog()
    order_id = asyncio.run(sold_in_texas(tmp_path, log))
    (recorded,) = [one for one in log.read_stream(f"order-{order_id}") if one.version == 1]
    shown = evolve(order_id, None, CODEC.decode(recorded), recorded)
    amounts = {step.step: step.amount for step in shown.steps}
    assert amounts == {"cart_promotion": -335, "shipping": 595, "tax": 298}
    assert (shown.goods, shown.total) == (3349, 3349 - 335 + 595 + 298)
    assert [step.components for step in shown.steps] == [{}, {}, {"State": 226, "Austin": 72}]


@pytest.mark.parametrize(
    ("treatment", "change", "told"),
    [
        ("reverse_charge", -1736, "no tax on 82.64 EUR: reverse charge, the buyer owes it (nl/standard)"),
        ("exempt", -1736, "no tax on 82.64 EUR: the buyer is exempt (nl/standard)"),
        ("outside", -1736, "no tax on 82.64 EUR: no rate is known there (nl/standard)"),
    ],
)
def test_why_no_tax_is_due_is_told_and_what_that_takes_off_the_price(
    treatment: Treatment, change: int, told: str
) -> None:
    step = Step(
        **{"step": "tax_adjustment", "rule": "nl/standard", "label": "BTW 21 %", "base": 10_000},
        **{"amount": change, "shares": {"1": change}},
    )
    group = TaxTotal(
        **{"group": "nl/standard", "label": "BTW 21 %", "tax_category": "standard", "treatment": treatment},
        **{"base": 8264, "rate": "0 %", "amount": 0, "inside": False},
    )
    order = replace(placed("o", "MUG", currency="EUR"), taxes=(group,))
    explanation = Explanation(calculation="daybook-1", terms=7, at=NOON, steps=(step,))
    assert list(explained(order, explanation)) == [
        "tax taken off the prices, BTW 21 %: -17.36 EUR (Mug MUG -17.36 EUR)",
        told,
        "priced by version 7 of the rules",
    ]
