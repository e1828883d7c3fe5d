"""An order's total, part by part, in the words of its history."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from aggregates.pricing.context import Treatment
from aggregates.pricing.explanation import Explanation, Step, TaxTotal
from event_store.memory.log import MemoryLog
from replays.order.history import load_history
from replays.order.moments import NOW
from replays.order.price_sentences import explained
from replays.order.report import in_words
from tests.commands.test_priced_carts import MARKET, POST, TEN, VAT, opened, rules
from tests.shop.facts import CODEC, NOON, placed
from tests.shop.http import open_shop

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
        "3 × Product MUG (MUG) at 10.00 GBP = 30.00 GBP, 27.00 GBP paid",
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
    assert "tax VAT 20 % (GB/standard), 7.40 GBP on top of 36.99 GBP" in words, "\n".join(words)


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
