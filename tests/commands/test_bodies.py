"""Bodies of JSON: every route reads them the same way, and says no more about a bad one than is of use."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commands.gateways.stripe_signature import sign
from commands.http.validation_errors import FAULTS_MAX
from deploy.edge.problems import DETAIL_MAX, ECHO_MAX
from event_store.memory.log import MemoryLog
from tests.commands.test_bad_input import PRODUCT, refused
from tests.gateways.stripe_objects import charge, event
from tests.shop.http import CHECKOUT, Shop, key, open_shop

JSON = {"Content-Type": "application/json"}
ROUTES: dict[str, dict[str, Any]] = {
    "POST /products": PRODUCT,
    "PUT /products/MUG": {"title": "Mug", "category": "Kitchen"},
    "POST /products/MUG/price": {"price": {"amount": 100, "currency": "GBP"}},
    "POST /products/MUG/price/cancel": {"schedule_id": "s"},
    "POST /products/MUG/delist": {"reason": "gone"},
    "POST /inventory/MUG/receipts": {"quantity": 1},
    "POST /inventory/MUG/adjustments": {"quantity": 1, "reason": "found"},
    "POST /visits/{visit_id}/views": {"sku": "MUG"},
    "POST /carts": {"currency": "GBP"},
    "POST /carts/{cart_id}/items": {"sku": "MUG", "quantity": 1},
    "PUT /carts/{cart_id}/items/MUG": {"quantity": 2},
    "POST /carts/{cart_id}/coupons": {"code": "TEN"},
    "PUT /carts/{cart_id}/delivery": {"country": "GB"},
    "PUT /carts/{cart_id}/gifts/ten": {"sku": "MUG"},
    "POST /carts/{cart_id}/checkout": CHECKOUT,
    "POST /orders/{order_id}/cancel": {"reason": "mind changed"},
    "POST /orders/{order_id}/fulfilments": {"reason": "sent"},
    "POST /orders/{order_id}/returns": {"reason": "too big"},
    "POST /orders/{order_id}/refunds": {"amount": {"amount": 1, "currency": "GBP"}},
    "POST /payments/{order_id}/retry": {"method": "pm_card_visa"},
    "POST /payments/{order_id}/write-off": {"reason": "gone"},
    "PUT /home": {"country": "GB"},
    "POST /markets": {"market_id": "gb", "countries": ["GB"], "currencies": ["GBP"]},
    "POST /tax-areas": {"area_id": "gb", "country": "GB"},
    "POST /tax-areas/gb/rates": {
        "rates": [{"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}]
    },
    "POST /shipping-methods": {"method_id": "post", "label": "Post", "tiers": [{"price": {"GBP": 395}}]},
    "POST /price-lists": {"list_id": "trade", "currency": "GBP"},
    "POST /promotions": {
        "promotion_id": "ten",
        "label": "10 % off",
        "automatic": False,
        "action": {"kind": "percent_off", "percent": 10},
    },
    "POST /coupons": {"code": "SPRING", "promotion_id": "ten"},
    "POST /coupons/SPRING/revoke": {"reason": "found out"},
    "POST /coupon-batches": {"promotion_id": "ten", "count": 3},
    "POST /gift-cards": {"amount": {"amount": 5000, "currency": "GBP"}},
    "POST /gift-cards/card/block": {"reason": "stolen"},
    "POST /gift-cards/balance": {"code": "3R7W-9K2M-D5TX-0QHV"},
    "POST /customers/17850/credit": {"amount": {"amount": 500, "currency": "GBP"}, "reason": "late"},
    "PUT /customers/17850/groups": {"groups": ["trade"]},
    "PUT /customers/17850/tax-status": {"vat_number": "DE136695976"},
    "POST /promotions/ten/end": {"reason": "sold out"},
    "POST /promotions/ten/try": {"cart_id": "c"},
    "POST /webhook-endpoints": {"url": "https://example.com/hook", "events": ["*"]},
    "PUT /webhook-endpoints/hook": {"url": "https://example.com/hook", "events": ["orders.*"]},
    "POST /webhook-endpoints/hook/disable": {"reason": "moves"},
    "POST /webhook-endpoints/hook/replay": {"from_position": 1},
    "POST /webhook-endpoints/hook/rotate-secret": {"overlap_seconds": 60},
    "POST /price-lists/trade/prices": {
        "items": [{"sku": "MUG", "tiers": [{"from": 1, "amount": 90, "currency": "GBP"}]}]
    },
}
"""Every route that takes a body, and one that it takes; but for the gateway's, which reads bytes."""
WEBHOOK = "POST /payments/webhooks/stripe"

DEEP = b"[" * 100_000
SPELT: list[tuple[str, bytes, int, str]] = [
    ("a key twice", b'{"currency": "GBP", "currency": "GBP"}', 422, "body.currency"),
    ("a key twice, deeper", b'{"a": [{"b": {"c": 1, "c": 2}}]}', 422, "body.c"),
    ("a key twice, spelt otherwise", b'{"currency": "GBP", "\\u0063urrency": "GBP"}', 422, "body.currency"),
    ("NUL", b'{"currency": "G\\u0000P"}', 422, "body.currency"),
    ("NUL in a key", b'{"a\\u0000": 1}', 422, "body.a\ufffd"),
    ("half a character", b'{"currency": "\\ud83d"}', 422, "body.currency"),
    ("half a character in a key", b'{"a": [{"\\udc00": 1}]}', 422, "body.a.0.\ufffd"),
    ("a long number", b'{"currency": ' + b"1" * 900_000 + b"}", 422, "body"),
    ("nested deep", b'{"currency": ' + DEEP, 422, "body"),
    ("nested deep in a key that is unknown", b'{"a": ' + b'{"a": ' * 100_000, 422, "body"),
    ("NaN", b'{"currency": NaN}', 400, ""),
    ("Infinity", b'{"currency": -Infinity}', 400, ""),
    ("another encoding", '{"currency": "GBP"}'.encode("utf-16"), 400, ""),
    ("no UTF-8", b'{"currency": "\xff"}', 400, ""),
    ("a surrogate in UTF-8", b'{"currency": "\xed\xa0\x80"}', 400, ""),
    ("a raw NUL", b'{"currency": "G\0P"}', 400, ""),
    ("two values", b'{"currency": "GBP"} {}', 400, ""),
]


def path_of(route: str, cart_id: str = "c", order_id: str = "o") -> tuple[str, str]:
    method, path = route.split(" ")
    return method, "/api/v1" + path.format(cart_id=cart_id, order_id=order_id, visit_id="v" * 32)


def test_every_route_that_takes_a_body_is_known_here(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            paths = (await shop.client.get("/openapi.json")).json()["paths"]
        named = {"sku": "MUG", "area_id": "gb", "promotion_id": "ten", "code": "SPRING"}
        named |= {"customer_id": "17850", "list_id": "trade", "account_id": "card", "endpoint_id": "hook"}
        for name, value in ((f"{{{name}}}", value) for name, value in named.items()):
            paths = {path.replace(name, value): operations for path, operations in paths.items()}
        taking = {
            f"{method.upper()} {path.removeprefix('/api/v1')}"
            for path, operations in paths.items()
            for method, operation in operations.items()
            if "requestBody" in operation
        }
        assert taking == ROUTES.keys() | {WEBHOOK}

    asyncio.run(scenario())


def test_what_the_gateway_did_not_sign_or_nobody_can_read_is_refused_whatever_its_bytes(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            method, path = path_of(WEBHOOK)
            secret = shop.gateway.books.webhook_secret
            news = json.dumps(event("charge.succeeded", charge())).encode()
            bodies = [b"", b"\0\xff", b"[]", b"{}", *(body for _, body, _, _ in SPELT)]
            for body in bodies:
                for signature in (None, "", "t=1,v1=00", sign(news, secret, datetime.now(UTC))):
                    headers = JSON | ({} if signature is None else {"Stripe-Signature": signature})
                    answer = await shop.client.request(method, path, content=body, headers=headers)
                    assert answer.status_code == 400, (body[:40], signature, answer.text)
                    assert answer.json()["type"] == "/problems/news-rejected"
                signed = {"Stripe-Signature": sign(body, secret, datetime.now(UTC))}
                answer = await shop.client.request(method, path, content=body, headers=signed)
                assert (answer.status_code, answer.json()["type"]) == (400, "/problems/news-rejected"), body[
                    :40
                ]
            assert shop.log.head() == 0

    asyncio.run(scenario())


def test_what_the_gateway_signed_is_taken_once_however_it_is_announced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            method, path = path_of(WEBHOOK)
            news = json.dumps(event("charge.succeeded", charge())).encode()
            for announced in ({}, JSON, {"Content-Type": "text/plain"}):
                signed = {
                    "Stripe-Signature": sign(news, shop.gateway.books.webhook_secret, datetime.now(UTC))
                }
                answer = await shop.client.request(method, path, content=news, headers=signed | announced)
                assert (answer.status_code, answer.json()) == (200, {"recorded": True})
            assert len(shop.events("payments.gateway_news_received")) == 1

    asyncio.run(scenario())


def test_every_route_refuses_what_no_json_should_say(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for route in ROUTES:
                for said, body, status, field in SPELT:
                    method, path = path_of(route)
                    answer = await shop.client.request(method, path, content=body, headers=JSON | key())
                    assert answer.status_code == status, (route, said, answer.text)
                    if status == 422:
                        assert [fault["field"] for fault in answer.json()["errors"]] == [field], (route, said)
                    else:
                        assert answer.json()["type"] == "/problems/malformed-json"
            assert shop.log.head() == 0

    asyncio.run(scenario())


def test_every_route_skips_a_byte_order_mark(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=5)
            order_id = (await shop.checkout(await shop.cart(MUG=1))).json()["id"]
            for route, body in ROUTES.items():
                method, path = path_of(route, await shop.cart(MUG=1), order_id)
                said = b"\xef\xbb\xbf" + json.dumps(body).encode()
                answer = await shop.client.request(method, path, content=said, headers=JSON | key())
                was_read = answer.status_code in (200, 201, 409) or "unknown" in answer.json()["type"]
                assert was_read, (route, answer.text)
                if "delist" in path:
                    await shop.product("MUG")

    asyncio.run(scenario())


UNKNOWN = {f"k{n}": 1 for n in range(80_000)}
LONG: dict[str, Any] = {
    "unknown keys": UNKNOWN,
    "unknown keys, as many as are read": {f"k{n}": 1 for n in range(5_000)},
    "unknown keys, deeper": {
        name: {f"k{n}": 1 for n in range(1_600)} for name in ("shipping_address", "price", "attributes")
    },
    "bad lines": {"lines": [{"line": n} for n in range(2_400)]},
    "lines": {"lines": list(range(100_000))},
    "a long key": {"k" * 900_000: 1},
    "a long text": {"currency": "G" * 900_000, "sku": "M" * 9},
}


def test_no_body_makes_a_long_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for said, value in LONG.items():
                body = json.dumps(value, separators=(",", ":")).encode()
                for route in ROUTES:
                    method, path = path_of(route)
                    answer = await shop.client.request(method, path, content=body, headers=JSON | key())
                    assert answer.status_code == 422, (said, route, answer.text)
                    assert answer.json()["type"] == "/problems/invalid-request"
                    assert len(answer.content) < FAULTS_MAX * 2 * ECHO_MAX + 2 * DETAIL_MAX
                    assert len(answer.json()["errors"]) <= FAULTS_MAX

    asyncio.run(scenario())


def test_faults_beyond_the_listed_are_counted(tmp_path: Path) -> None:
    async def many(shop: Shop, cart_id: str) -> Any:
        return await shop.post("/carts", {f"k{n}": 1 for n in range(3_000)} | {"currency": "GBP"})

    async def too_many(shop: Shop, cart_id: str) -> Any:
        return await shop.post("/carts", UNKNOWN)

    problem = refused(tmp_path, many, 422, "invalid-request")
    assert (len(problem["errors"]), problem["more"]) == (FAULTS_MAX, 3_000 - FAULTS_MAX)
    assert "2997 more" in problem["detail"]
    (fault,) = refused(tmp_path, too_many, 422, "invalid-request")["errors"]
    assert fault["field"] == "body"
    assert "80000 keys" in fault["message"]


NO_ITEMS = [
    b"",
    b"null",
    b"[]",
    b'"MUG"',
    b"1",
    b"{}",
    b"{",
    b'{"sku":1,"a":2}',
    *(said[1] for said in SPELT),
]


def test_the_route_before_the_framework_refuses_what_the_frameworks_own_refuses(tmp_path: Path) -> None:
    # The same media type in other words, which the first route leaves to the framework.
    framework = {"Content-Type": "application/json; charset=utf-8"}

    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            path = f"/api/v1/carts/{await shop.cart()}/items"
            for body in NO_ITEMS:
                quick = await shop.client.post(path, content=body, headers=JSON)
                usual = await shop.client.post(path, content=body, headers=framework)
                assert quick.is_error
                assert (quick.status_code, quick.content) == (usual.status_code, usual.content), body[:40]

    asyncio.run(scenario())
