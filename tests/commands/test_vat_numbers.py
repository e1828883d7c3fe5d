"""VAT numbers at checkout: who owes the tax, and what the order keeps of the number."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from aggregates.orders.events import OrderPlaced, VatCheck
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop

AUSTRIA = {
    "area_id": "AT",
    "country": "AT",
    "rates": [{"tax_category": "standard", "components": [{"name": "USt", "percent": 20}]}],
}
VIENNA = {"name": "Eva", "line1": "Ring 1", "city": "Wien", "postal_code": "1010", "country": "AT"}
GRAZ = {"name": "Eva GmbH", "line1": "Hauptplatz 7", "city": "Graz", "postal_code": "8010", "country": "AT"}
NUMBER = "ATU13585627"


async def german_shop(shop: Shop) -> str:
    """A shop in Germany that sells to Austria, and a cart for 12.00 there with 2.00 of tax in it."""
    assert (await shop.client.put("/api/v1/home", json={"country": "DE"})).is_success
    assert (await shop.post("/tax-areas", AUSTRIA)).is_success
    await shop.product("MUG", units=10, pence=1200)
    cart_id = await shop.cart(MUG=1)
    delivery = await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json={"country": "AT"})
    assert delivery.is_success, delivery.text
    return cart_id


async def checked_out(shop: Shop, cart_id: str, **more: Any) -> httpx.Response:
    body = CHECKOUT | {"shipping_address": VIENNA} | more
    return await shop.post(f"/carts/{cart_id}/checkout", body, **key())


def placed(shop: Shop) -> OrderPlaced:
    (event,) = shop.events("orders.order_placed")
    assert isinstance(event, OrderPlaced)
    return event


def verified(log: MemoryLog) -> None:
    found: list[str] = []
    verify(log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []


def test_a_buyer_with_a_vat_number_of_another_eu_country_owes_the_tax_himself(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path) as shop:
            answer = await checked_out(shop, await german_shop(shop), vat_number="at u13585627")
            assert answer.status_code == 201, answer.text
            assert answer.json()["vat_status"] == "unchecked"
            order = placed(shop)
        assert (order.total.amount, [one.treatment for one in order.taxes]) == (1000, ["reverse_charge"])
        assert order.vat_check == VatCheck(country="AT")
        verified(log)

    asyncio.run(scenario())


def test_without_a_vat_number_the_tax_stays_in_the_price(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            answer = await checked_out(shop, await german_shop(shop))
            assert answer.status_code == 201, answer.text
            assert "vat_status" not in answer.json()
            order = placed(shop)
        assert (order.total.amount, order.vat_number, order.vat_check) == (1200, None, None)

    asyncio.run(scenario())


def test_a_vat_number_of_wrong_form_is_refused_and_the_cart_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            cart_id = await german_shop(shop)
            written = len(shop.events())
            refused = await checked_out(shop, cart_id, vat_number="ATU13585628")
            assert (refused.status_code, refused.json()["type"]) == (422, "/problems/vat-number-unfit")
            assert refused.json()["errors"][0]["field"] == "body.vat_number"
            assert len(shop.events()) == written
            assert (await checked_out(shop, cart_id, vat_number=NUMBER)).status_code == 201

    asyncio.run(scenario())


def test_the_billing_address_and_the_vat_number_are_stored_encrypted(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path) as shop:
            cart_id = await german_shop(shop)
            answer = await checked_out(shop, cart_id, vat_number=NUMBER, billing_address=GRAZ)
            assert answer.status_code == 201, answer.text
            order_id = answer.json()["id"]
        stored = list(log.read_all(after=0, limit=100))
        assert not any(secret in one.data for one in stored for secret in (b"13585627", b"Graz"))
        keys = log.subject_keys([f"order-{order_id}"])
        (order,) = [CODEC.decode(one, keys) for one in stored if one.type == "orders.order_placed"]
        assert order.vat_number == NUMBER
        assert (order.billing_address.city, order.shipping_address.city) == ("Graz", "Wien")

    asyncio.run(scenario())
