"""Refunds that cannot all be so: verification names them, one changed fact at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from event_store.memory.log import MemoryLog
from tests.commands.test_priced_carts import MARKET, POST, TEN, VAT, opened, rules
from tests.credit.test_refunds import happened, refund
from tests.credit.test_routes import gbp, gift_card, pay
from tests.replays.test_price_contradictions import at, changed, findings, order_of, to
from tests.shop.http import key, open_shop

REFUNDED = "orders.order_refunded"


@pytest.fixture(scope="module")
def given_back(tmp_path_factory: pytest.TempPathFactory) -> MemoryLog:
    """An order with tax and shipping that a gift card of 7.00 and a card paid, refunded in two parts: 20.00
    for nothing named, then all the rest, the gift card's part with it."""

    async def scenario(folder: Path) -> MemoryLog:
        log = MemoryLog()
        async with open_shop(log, folder) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await rules(shop, markets=[MARKET], tax_areas=[VAT], shipping_methods=[POST])
            cart_id = await opened(shop, "uk", MUG=3)
            delivery = {"country": "GB", "method_id": "post"}
            await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            card = await gift_card(shop, 700)
            placed = await pay(shop, 3, {"code": card["code"]}, cart_id=cart_id)
            assert placed.status_code == 201, placed.text
            order_id = placed.json()["id"]
            sent = await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
            assert sent.status_code == 201, sent.text
            await happened(shop, "payments.payment_captured")
            for body in ({"amount": gbp(2000)}, {"all": True}):
                answer = await refund(shop, order_id, **body)
                assert answer.status_code in (200, 201), answer.text
            assert len(shop.events(REFUNDED)) == 2
        return log

    return asyncio.run(scenario(tmp_path_factory.mktemp("shop")))


def test_all_that_goes_back_is_all_that_was_paid_and_its_tax(given_back: MemoryLog) -> None:
    assert findings(given_back) == []
    placed = order_of(given_back)
    assert placed.shipping is not None
    assert placed.lines[0].tax.amount > 0
    assert placed.shipping.tax > 0
    assert placed.credit.amount == 700


@pytest.mark.parametrize(
    ("type_", "change", "wrong"),
    [
        (REFUNDED, at("lines", 0, "amount", "amount"), "refunded for 1, for which 3000 was paid"),
        (REFUNDED, at("lines", 0, "amount", "amount"), "its lines and charges make"),
        (REFUNDED, at("lines", 0, "tax", "amount"), "of tax refunded for 1, in which 500 was"),
        (REFUNDED, at("lines", 0, "tax", "amount", by=-1), "all of 1 refunded with 499 of tax"),
        (REFUNDED, at("charges", 0, "amount", "amount"), "its lines and charges make"),
        (REFUNDED, at("charges", 0, "tax", "amount"), "of tax refunded for shipping"),
        (REFUNDED, at("charges", 0, "tax", "amount", by=-1), "all of shipping refunded with"),
        (REFUNDED, at("tenders", 0, "amount", "amount"), "back to tender card, which gave"),
        (REFUNDED, at("tenders", 1, "amount", "amount", by=-1), "its tenders make"),
        (REFUNDED, at("tenders", 1, "amount", "amount"), "differ on 701 given back"),
        (REFUNDED, to("tenders", 1, "account_id", value="another"), "back to tender another, which gave 0"),
        ("credit.credited", at("amount", "amount", by=-1), "differ on 699 given back"),
    ],
)
def test_a_refund_beyond_what_was_paid_or_of_another_tax_is_found(
    given_back: MemoryLog, type_: str, change: Callable[[dict[str, Any]], None], wrong: str
) -> None:
    found = findings(changed(given_back, type_, change))
    assert any(wrong in one for one in found), found


CANCELED = "orders.order_canceled"


@pytest.fixture(scope="module")
def canceled(tmp_path_factory: pytest.TempPathFactory) -> MemoryLog:
    """An order of 27.00 after 10 % off, with 3.95 of postage and the tax in both, given up again."""

    async def scenario(folder: Path) -> MemoryLog:
        log = MemoryLog()
        async with open_shop(log, folder) as shop:
            await shop.product("MUG", units=9, pence=1000)
            ten = TEN | {"automatic": True}
            await rules(shop, markets=[MARKET], tax_areas=[VAT], shipping_methods=[POST], promotions=[ten])
            cart_id = await opened(shop, "uk", MUG=3)
            delivery = {"country": "GB", "method_id": "post"}
            await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            placed = await shop.checkout(cart_id)
            assert placed.status_code == 201, placed.text
            given_up = await shop.post(f"/orders/{placed.json()['id']}/cancel", {}, **key())
            assert given_up.status_code == 200, given_up.text
        return log

    return asyncio.run(scenario(tmp_path_factory.mktemp("canceled")))


def test_a_canceled_order_takes_back_the_parts_of_its_sale(canceled: MemoryLog) -> None:
    assert findings(canceled) == []


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("discounts", "discounts of 301, shipping of 395 and tax of 516 back"),
        ("shipping", "discounts of 300, shipping of 396 and tax of 516 back"),
        ("tax", "discounts of 300, shipping of 395 and tax of 517 back"),
    ],
)
def test_parts_of_a_sale_that_its_explanation_has_not_are_found(
    canceled: MemoryLog, part: str, wrong: str
) -> None:
    found = findings(changed(canceled, CANCELED, at("parts", part)))
    assert any(wrong in one for one in found), found
