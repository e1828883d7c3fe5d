"""A day in a shop, route by route: what the command API's document has as examples.

`python -m tests.commands.examples` sends it to a shop and writes down what is answered.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from commands.gateways.sandbox import AUTHENTICATION_REQUIRED
from commands.gateways.stripe_signature import sign
from commands.http.app import EXAMPLES
from deploy.edge.openapi import Example
from tests.commands.test_contract import WEBHOOK, WEBHOOK_ENDPOINT, WEBHOOK_SECRET, serving, unpaid_order
from tests.gateways.stripe_objects import charge, event
from tests.shop.examples import Step, replaced, write_down
from tests.shop.http import CHECKOUT, key
from tests.waiting import SECONDS_MAX

API = "/api/v1"
MUG, CUP = "MUG-BLUE", "CUP-RED"
PAYS = {"amount": 1299, "currency": "GBP"}
KEY = {"Idempotency-Key": "a0c3f1d2-example"}

Setup = Callable[[httpx.Client, dict[str, str]], None]
"""What happens between two examples; what it gives is kept by name."""


def product(sku: str) -> Setup:
    def lists(client: httpx.Client, known: dict[str, str]) -> None:
        body = {"sku": sku, "title": "Red cup", "category": "Kitchen > Cups", "price": PAYS}
        client.post("/products", json=body).raise_for_status()
        client.post(f"/inventory/{sku}/receipts", json={"quantity": 90}, headers=key()).raise_for_status()

    return lists


def cart(name: str, sku: str = MUG) -> Setup:
    def takes(client: httpx.Client, known: dict[str, str]) -> None:
        known[name] = client.post("/carts", json={"currency": "GBP"}).raise_for_status().json()["id"]
        body = {"sku": sku, "quantity": 1}
        client.post(f"/carts/{known[name]}/items", json=body).raise_for_status()

    return takes


def ordered(name: str, method: str = "pm_card_visa") -> Setup:
    def places(client: httpx.Client, known: dict[str, str]) -> None:
        cart(f"cart of {name}")(client, known)
        path = f"/carts/{known[f'cart of {name}']}/checkout"
        body = CHECKOUT | {"payment": {"method": method}}
        placed = client.post(path, json=body, headers=key() | {"Prefer": "wait=10"}).raise_for_status()
        known[name] = placed.json()["id"]

    return places


def owed(name: str) -> Setup:
    def places(client: httpx.Client, known: dict[str, str]) -> None:
        known[name] = unpaid_order(client)

    return places


def posted(path: str, body: Any, **gives: str) -> Setup:
    def posts(client: httpx.Client, known: dict[str, str]) -> None:
        answer = client.post(path, json=body, headers=key()).raise_for_status().json()
        known.update({name: answer[field] for name, field in gives.items()})

    return posts


def _route(method: str, path: str) -> str:
    return f"{method} {API}{path}"


def step(method: str, path: str, body: Any = None, gives: dict[str, str] | None = None, **named: Any) -> Step:
    """An example of one route; in the names of parameters `__` stands for `-`."""
    parameters = {name.replace("__", "-"): value for name, value in named.items()}
    return Step(_route(method, path), parameters, body, gives or {})


LATER = {"price": {"amount": 999, "currency": "GBP"}, "starts_at": "2199-01-01T00:00:00Z"}
GIFT = {
    "promotion_id": "cup-with-mug",
    "label": "A cup for each mug",
    "automatic": False,
    "action": {"kind": "gift", "skus": [CUP]},
}
TEN_PERCENT = {
    "promotion_id": "welcome",
    "label": "10 % off",
    "automatic": False,
    "action": {"kind": "percent_off", "percent": 10},
}
VISIT = "5f0c6f0e-6d2b-4c41-9a53-0f6f1c1f8a37"

STORY: list[Step | Setup] = [
    Step("GET /health/live"),
    Step("GET /health/ready"),
    step(
        "POST",
        "/products",
        {
            "sku": MUG,
            "title": "Blue mug",
            "description": "Stoneware, 350 ml.",
            "category": "Kitchen > Mugs",
            "attributes": {"color": "blue"},
            "price": PAYS,
        },
        **KEY,
    ),
    product(CUP),
    step(
        "PUT",
        "/products/{sku}",
        {"title": "Blue mug", "category": "Kitchen > Mugs", "weight_grams": 350},
        sku=MUG,
    ),
    step("POST", "/products/{sku}/price", LATER, {"schedule": "schedule_id"}, sku=MUG),
    step("POST", "/products/{sku}/price/cancel", {"schedule_id": "<schedule>"}, sku=MUG),
    step("POST", "/inventory/{sku}/receipts", {"quantity": 50}, sku=MUG, Idempotency__Key="receipt-4711-a01"),
    step(
        "POST",
        "/inventory/{sku}/adjustments",
        {"quantity": -1, "reason": "damaged"},
        sku=MUG,
        Idempotency__Key="adjust-4711-a001",
    ),
    step("POST", "/visits/{visit_id}/views", {"sku": MUG}, visit_id=VISIT),
    step("POST", "/carts", {"currency": "GBP"}, {"cart": "id"}),
    step("POST", "/carts/{cart_id}/items", {"sku": MUG, "quantity": 2}, cart_id="<cart>"),
    step("PUT", "/carts/{cart_id}/items/{sku}", {"quantity": 3}, cart_id="<cart>", sku=MUG),
    cart("other"),
    step("DELETE", "/carts/{cart_id}/items/{sku}", cart_id="<other>", sku=MUG),
    step(
        "PUT",
        "/carts/{cart_id}/delivery",
        {"country": "GB", "postal_code": "LS1 4AP"},
        cart_id="<cart>",
    ),
    step("POST", "/carts/{cart_id}/quote", cart_id="<cart>"),
    step(
        "POST",
        "/carts/{cart_id}/checkout",
        CHECKOUT,
        {"order": "id", "secret": "order_secret"},
        cart_id="<cart>",
        Idempotency__Key="checkout-4711-01",
        prefer="wait=10",
    ),
    step("POST", "/orders/{order_id}/fulfilments", {"all": True}, order_id="<order>"),
    step("POST", "/orders/{order_id}/returns", {"all": True, "restock": True}, order_id="<order>"),
    step(
        "POST",
        "/orders/{order_id}/refunds",
        {"amount": {"amount": 500, "currency": "GBP"}, "reason": "A scratch"},
        order_id="<order>",
        Idempotency__Key="refund-4711-a001",
    ),
    ordered("second"),
    step("POST", "/orders/{order_id}/cancel", {"reason": "Mind changed"}, order_id="<second>"),
    ordered("third", AUTHENTICATION_REQUIRED),
    step("POST", "/carts/{cart_id}/payment-action", cart_id="<cart of third>"),
    owed("owing"),
    step("GET", "/payments/owed"),
    step("POST", "/payments/{order_id}/retry", {"method": "pm_card_visa"}, order_id="<owing>"),
    owed("lost"),
    step("POST", "/payments/{order_id}/write-off", {"reason": "Bankrupt"}, order_id="<lost>"),
    Step(
        WEBHOOK,
        {"Stripe-Signature": "t=1772366400,v1=6f1d0c5e"},
        event("charge.succeeded", charge()),
    ),
    step("PUT", "/home", {"country": "GB"}),
    step("POST", "/markets", {"market_id": "gb", "countries": ["GB"], "currencies": ["GBP"]}),
    step("POST", "/tax-areas", {"area_id": "gb", "country": "GB"}),
    step(
        "POST",
        "/tax-areas/{area_id}/rates",
        {"rates": [{"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}]},
        area_id="gb",
    ),
    step(
        "POST",
        "/shipping-methods",
        {"method_id": "post", "label": "Royal Mail", "tiers": [{"price": {"GBP": 395}}]},
    ),
    step("POST", "/price-lists", {"list_id": "trade", "currency": "GBP", "customer_groups": ["trade"]}),
    step(
        "POST",
        "/price-lists/{list_id}/prices",
        {"items": [{"sku": MUG, "tiers": [{"from": 6, "amount": 999, "currency": "GBP"}]}]},
        list_id="trade",
    ),
    step("POST", "/promotions", TEN_PERCENT),
    cart("tried"),
    step("POST", "/promotions/{promotion_id}/try", {"cart_id": "<tried>"}, promotion_id="welcome"),
    step("POST", "/coupons", {"code": "SPRING-10", "promotion_id": "welcome"}),
    step("POST", "/carts/{cart_id}/coupons", {"code": "spring-10"}, cart_id="<tried>"),
    step("DELETE", "/carts/{cart_id}/coupons/{code}", cart_id="<tried>", code="SPRING-10"),
    step("POST", "/coupons/{code}/revoke", {"reason": "Found out"}, code="SPRING-10"),
    step(
        "POST",
        "/coupon-batches",
        {"promotion_id": "welcome", "count": 3, "prefix": "AUTUMN-"},
        Idempotency__Key="batch-autumn-001",
    ),
    posted("/promotions", GIFT),
    step(
        "PUT",
        "/carts/{cart_id}/gifts/{promotion_id}",
        {"sku": CUP},
        cart_id="<tried>",
        promotion_id="cup-with-mug",
    ),
    step("DELETE", "/carts/{cart_id}/gifts/{promotion_id}", cart_id="<tried>", promotion_id="cup-with-mug"),
    step(
        "POST",
        "/gift-cards",
        {"amount": {"amount": 5000, "currency": "GBP"}, "expires_on": "2199-12-31"},
        {"card": "id", "code": "code"},
        Idempotency__Key="gift-card-4711-1",
    ),
    step("POST", "/gift-cards/balance", {"code": "<code>"}),
    step("POST", "/gift-cards/{account_id}/block", {"reason": "Stolen"}, account_id="<card>"),
    step(
        "POST",
        "/customers/{customer_id}/credit",
        {"amount": {"amount": 500, "currency": "GBP"}, "reason": "Late parcel"},
        customer_id="17850",
        Idempotency__Key="credit-17850-001",
    ),
    step("PUT", "/customers/{customer_id}/groups", {"groups": ["trade"]}, customer_id="17850"),
    step("PUT", "/customers/{customer_id}/tax-status", {"vat_number": "DE136695976"}, customer_id="17850"),
    step(
        "POST",
        "/webhook-endpoints",
        {"url": "https://example.com/daybook", "events": ["orders.order_placed", "payments.*"]},
        {"endpoint": "id", "webhook_secret": "secret"},
        Idempotency__Key="webhooks-4711-001",
    ),
    step("GET", "/webhook-endpoints"),
    step("GET", "/webhook-endpoints/{endpoint_id}", endpoint_id="<endpoint>"),
    step(
        "PUT",
        "/webhook-endpoints/{endpoint_id}",
        {"url": "https://example.com/orders", "events": ["orders.*"], "description": "The warehouse"},
        endpoint_id="<endpoint>",
    ),
    step(
        "POST",
        "/webhook-endpoints/{endpoint_id}/rotate-secret",
        {"overlap_seconds": 3600},
        {"webhook_secret": "secret"},
        endpoint_id="<endpoint>",
    ),
    step("POST", "/webhook-endpoints/{endpoint_id}/replay", {"from_position": 1}, endpoint_id="<endpoint>"),
    step("GET", "/webhook-endpoints/{endpoint_id}/deliveries", endpoint_id="<endpoint>"),
    step("POST", "/webhook-endpoints/{endpoint_id}/disable", {"reason": "Moves"}, endpoint_id="<endpoint>"),
    step("POST", "/webhook-endpoints/{endpoint_id}/enable", endpoint_id="<endpoint>"),
    step("DELETE", "/webhook-endpoints/{endpoint_id}", endpoint_id="<endpoint>"),
    posted("/webhook-endpoints", WEBHOOK_ENDPOINT, nobody="id"),
    step("POST", "/webhook-endpoints/{endpoint_id}/ping", endpoint_id="<nobody>"),
    step("POST", "/promotions/{promotion_id}/end", {"reason": "Sold out"}, promotion_id="welcome"),
    step("POST", "/price-lists/{list_id}/end", list_id="trade"),
    step("POST", "/shipping-methods/{method_id}/retire", method_id="post"),
    step("POST", "/tax-areas/{area_id}/retire", area_id="gb"),
    step("POST", "/markets/{market_id}/retire", market_id="gb"),
    step("POST", "/products/{sku}/delist", {"reason": "Discontinued"}, sku=CUP),
]


def shown(name: str) -> str:
    """What the document has for a name whose value is another in every shop."""
    if name == "code":
        return "3R7W-9K2M-D5TX-0QHV"
    if name == "webhook_secret":
        return "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    if name == "secret":
        return "5e" * 32
    return f"019ac8f0-7c1e-7a00-8000-{abs(hash_of(name)):012x}"


def hash_of(name: str) -> int:
    return int.from_bytes(name.encode()[:6].ljust(6, b"\0"))


def send(client: httpx.Client, one: Step, document: dict[str, Any]) -> httpx.Response:
    """Sends a request whose names are replaced already."""
    method, _, path = one.route.partition(" ")
    headers = {"Accept": "application/json"}
    for parameter in document["paths"][path][method.lower()].get("parameters", []):
        name = parameter["name"]
        if name not in one.parameters:
            continue
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", one.parameters[name])
        else:
            assert parameter["in"] == "header", name
            headers[name] = one.parameters[name]
    content = b"" if one.body is None else json.dumps(one.body).encode()
    if content:
        headers["Content-Type"] = "application/json"
    if one.route == WEBHOOK:
        headers["Stripe-Signature"] = sign(content, WEBHOOK_SECRET, datetime.now(UTC))
    return client.request(method, path, content=content, headers=headers)


def told(base: str) -> list[tuple[Example, httpx.Response]]:
    """The story, as it goes in this shop: each example, and the response as it came."""
    known: dict[str, str] = {}
    examples = []
    with (
        httpx.Client(base_url=base, timeout=SECONDS_MAX) as client,
        httpx.Client(base_url=f"{base}{API}", timeout=SECONDS_MAX) as api,
    ):
        document = client.get("/openapi.json").json()
        for one in STORY:
            if not isinstance(one, Step):
                one(api, known)
                continue
            names = {f"<{name}>": value for name, value in known.items()}
            sent = Step(one.route, replaced(one.parameters, names), replaced(one.body, names))
            response = send(client, sent, document)
            assert response.is_success, (one.route, response.text)
            answer = response.json()
            known.update({name: answer[given] for name, given in one.gives.items()})
            samples = {value: shown(name) for name, value in known.items()}
            by_name = {f"<{name}>": shown(name) for name in known}
            example = Example(
                route=one.route,
                status=response.status_code,
                response=replaced(answer, samples),
                parameters=replaced(one.parameters, by_name),
                body=replaced(one.body, by_name),
            )
            examples.append((example, response))
    return examples


def main() -> None:
    """Writes down what a new shop answers."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as base:
        write_down([example for example, _ in told(base)], EXAMPLES)


if __name__ == "__main__":
    main()
