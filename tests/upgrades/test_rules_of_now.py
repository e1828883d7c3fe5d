"""A shop whose log began before there were rules of sale has rules now: its open carts and orders go on."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.commands.test_priced_carts import VAT
from tests.upgrades.conftest import Upgraded
from tests.upgrades.record import order_of
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

CART = "c" * 40
MARKET = {"market_id": "main", "countries": ["GB"], "currencies": ["GBP"], "tax_pricing": "inclusive"}
POST = {"method_id": "post", "label": "Post", "tiers": [{"price": {"GBP": 300}}]}
TENTH = {"promotion_id": "tenth", "label": "A tenth off", "action": {"kind": "percent_off", "percent": 10}}
BUYER = {
    "email": "late@example.org",
    "payment": {"method": "pm_card_visa"},
    "shipping_address": {
        "name": "Late", "line1": "1 High St", "city": "York", "postal_code": "YO1 7EP", "country": "GB"
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(upgraded: Upgraded) -> Upgraded:
    """With a market, taxes, a way to ship and a promotion; every payment of before has gone on."""
    upgraded.set_home({"country": "GB"})
    for path, body in (
        ("/tax-areas", VAT),
        ("/markets", MARKET),
        ("/shipping-methods", POST),
        ("/promotions", TENTH),
    ):
        status, answer = upgraded.do(path, body)
        assert status == 201, answer
    return upgraded


def send(shop: Upgraded, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    answer = httpx.request(method, f"{shop.system.addresses['commands']}/api/v1{path}", json=body)
    assert answer.status_code == 200, answer.text


def priced(shop: Upgraded, total: int) -> dict[str, Any]:
    """The cart's document once it has that total."""
    path = f"/carts/{CART}"
    wait_until(lambda: shop.get(path)["total"]["amount"] == total, why=lambda: f"{shop.get(path)}")
    document: dict[str, Any] = shop.get(path)
    return document


def test_a_cart_of_before_is_edited_quoted_and_checked_out_under_rules(shop: Upgraded) -> None:
    cart = f"/carts/{CART}"
    send(shop, "DELETE", f"{cart}/items/GONE")
    send(shop, "PUT", f"{cart}/items/MUG", {"quantity": 2})
    (line,) = priced(shop, 2 * 450 - 90)["lines"]
    assert (line["unit_price"]["amount"], line["net"]["amount"]) == (450, 810), (
        "its price of then still holds"
    )
    send(shop, "PUT", f"{cart}/delivery", {"country": "GB", "postal_code": "YO1 7EP", "method_id": "post"})
    priced(shop, 810 + 300)
    send(shop, "POST", f"{cart}/quote")
    document = priced(shop, 2 * 475 - 95 + 300)
    assert [tax["amount"]["amount"] for tax in document["taxes"]] == [193]
    status, placed = shop.do(f"{cart}/checkout", BUYER)
    assert status == 201, placed
    order = f"/orders/{placed['id']}"
    shop.stored.wait_views(placed["position"])
    wait_until(lambda: shop.get(order)["payment"]["status"] == "authorized", why=lambda: f"{shop.get(order)}")
    assert shop.get(order)["total"]["amount"] == 1155
    assert shop.get(f"{order}/explanation")["terms"] == 5


def refunded(shop: Upgraded, story: str) -> int:
    """What went back of the order, in minor units."""
    total: int = sum(one["amount"]["amount"] for one in shop.get(f"/orders/{order_of(story)}")["refunds"])
    return total


def test_an_order_of_before_is_captured_and_refunded_by_line_and_by_amount(shop: Upgraded) -> None:
    story = "authorized"
    order = f"/orders/{order_of(story)}"
    wait_until(lambda: shop.stands(story) == "confirmed authorized", why=lambda: shop.stands(story))
    status, answer = shop.do(f"{order}/fulfilments", {})
    assert status == 201, answer
    wait_until(lambda: shop.stands(story) == "fulfilled captured", why=lambda: shop.stands(story))
    parts: list[tuple[dict[str, Any], int]] = [
        ({"lines": [{"line_id": "1", "quantity": 1}]}, 450),
        ({"amount": {"amount": 100, "currency": "GBP"}}, 550),
        ({"lines": [{"line_id": "2", "quantity": 1}]}, 2550),
        ({"all": True}, 3350),
    ]
    for body, total in parts:
        status, answer = shop.do(f"{order}/refunds", body)
        assert status == 201, answer
        wait_until(lambda total=total: refunded(shop, story) == total, why=lambda: f"{refunded(shop, story)}")
    wait_until(lambda: shop.stands(story) == "fulfilled refunded", why=lambda: shop.stands(story))
    assert shop.charge(story) == ("captured", 3350, 3350)
    notes = {one["id"] for one in shop.get(order)["refunds"]}
    assert len(notes) == len(parts)


@pytest.mark.parametrize("story", ["refunded amount", "refunded units"])
def test_an_order_of_before_is_canceled_and_the_rest_goes_back(shop: Upgraded, story: str) -> None:
    order = f"/orders/{order_of(story)}"
    wait_until(lambda: shop.stands(story) == "confirmed partially_refunded", why=lambda: shop.stands(story))
    status, answer = shop.do(f"{order}/cancel", {})
    assert status == 200, answer
    wait_until(lambda: shop.stands(story) == "canceled refunded", why=lambda: shop.stands(story))
    assert shop.charge(story) == ("captured", 3350, 3350)


def test_the_log_verifies_and_its_views_equal_a_rebuild(shop: Upgraded) -> None:
    shop.stored.verifies()
    shop.stored.wait_views(shop.stored.log.head())
    shop.stored.views_equal_a_rebuild()
