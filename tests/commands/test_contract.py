"""The HTTP contract: whatever fits the OpenAPI document is answered as the document says."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance, unsupported_method

from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, Books, SandboxGateway
from commands.gateways.stripe_signature import sign
from commands.handlers.registry import HANDLERS
from commands.http.app import build_command_app
from commands.loop.handling import Handling
from commands.processes.manager import ProcessManagers, all_kinds
from commands.settings import Settings
from event_store.memory.log import MemoryLog
from tests.gateways.stripe_objects import charge, event
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT
from tests.waiting import SECONDS_MAX

TOLD = Settings(
    postgres_url="postgresql:///not-used",
    wrong_codes_per_minute=100_000,
    webhook_networks="127.0.0.0/8",
)
NOT_CALLED: Any = None
WEBHOOK_SECRET = "whsec_contract"
WEBHOOK = "POST /api/v1/payments/webhooks/stripe"
UNSEEN = re.compile(r"[\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")
UNFIT = {
    "/problems/promotion-unfit",
    "/problems/rule-unfit",
    "/problems/price-unfit",
    "/problems/vat-number-unfit",
    "/problems/last-day-over",
    "/problems/webhook-url-unfit",
    "/problems/position-beyond-head",
}
"""A rule of sale, or a price, may fit the document and yet contradict itself, or another."""
PRICES = {"POST /api/v1/products/{sku}/price", "POST /api/v1/price-lists/{list_id}/prices"}
_LOG = MemoryLog()
document = schemathesis.openapi.from_dict(
    build_command_app(TOLD, Handling(_LOG, CODEC, HANDLERS), _LOG, NOT_CALLED).openapi()
)
CASES = [
    (operation, mode)
    for operation in (found.ok() for found in document.get_all_operations())
    for mode in schemathesis.GenerationMode
    # Where nothing is given, nothing can be got wrong.
    if mode.is_positive or operation.body or list(operation.iter_parameters())
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a shop that random requests may do anything to."""
    with serving(tmp_path_factory.mktemp("contract")) as base:
        yield base


@pytest.fixture
def new_shop(tmp_path: Path) -> Iterator[str]:
    """The API of a shop to which nothing was done: rules of sale that somebody defined would concern every
    cart."""
    with serving(tmp_path) as base:
        yield base


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A command API on a port of this machine, with one product that random requests can meet."""
    log = MemoryLog()
    handling = Handling(log, CODEC, HANDLERS)

    gateway = SandboxGateway(Books(folder / "sandbox.sqlite", webhook_secret=WEBHOOK_SECRET))

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with handling, ProcessManagers(log, CODEC, handling, all_kinds(gateway, log)):
            yield

    app = build_command_app(TOLD, handling, log, gateway, running=running())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with httpx.Client(base_url=f"{base}/api/v1") as client:
        list_product(client, "0")
    try:
        yield base
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("operation", "mode"), CASES, ids=[f"{operation.label} {mode.value}" for operation, mode in CASES]
)
def test_every_answer_is_as_documented(
    operation: APIOperation, mode: schemathesis.GenerationMode, address: str
) -> None:
    check_operation(operation, mode, address, max_examples=10, derandomize=True)


def check_operation(
    operation: APIOperation, mode: schemathesis.GenerationMode, address: str, **drawn: Any
) -> None:
    """Sends the operation what fits the document, or does not; `drawn`: settings of Hypothesis."""
    cases = operation.as_strategy(generation_mode=mode)
    if mode.is_positive:  # Patterns name what cannot be seen only as far as every language reads them alike.
        cases = cases.filter(lambda case: not UNSEEN.search(text_of(case.body)))
    excluded = [unsupported_method]
    may_be_unfit = operation.label in {*RULES, *PRICES, *CHECKED} and mode.is_positive
    if operation.label == WEBHOOK or may_be_unfit:  # No document says how to sign.
        excluded.append(positive_data_acceptance)

    @settings(deadline=None, suppress_health_check=list(HealthCheck), **drawn)
    @given(case=cases)
    def check(case: schemathesis.Case) -> None:
        if 16 <= len((case.headers or {}).get("Idempotency-Key", "")) <= 255:
            # A key of its own: one that two requests share is refused, and rightly.
            case.headers["Idempotency-Key"] = secrets.token_hex(16)
        response = case.call_and_validate(base_url=address, excluded_checks=excluded)
        if may_be_unfit and response.status_code == 422:
            unfit = UNFIT | ({"/problems/invalid-request"} if operation.label in PRICES else set())
            assert response.json()["type"] in unfit, response.text

    check()


def text_of(body: Any) -> str:
    """All that stands in a body, as it is sent."""
    return json.dumps(body, ensure_ascii=False, default=str)


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


def list_product(client: httpx.Client, sku: str) -> None:
    """A product with ten units on its shelf."""
    listed = {"sku": sku, "title": "A", "category": "A", "price": {"amount": 100, "currency": "GBP"}}
    client.post("/products", json=listed).raise_for_status()
    client.post(f"/inventory/{sku}/receipts", json={"quantity": 10}, headers=key()).raise_for_status()


def fill_cart(client: httpx.Client) -> tuple[str, str]:
    """A product of its own and a cart with two units of it: the SKU, the cart's id."""
    sku = secrets.token_hex(4)
    list_product(client, sku)
    cart_id = client.post("/carts", json={"currency": "GBP"}).json()["id"]
    client.post(f"/carts/{cart_id}/items", json={"sku": sku, "quantity": 2}).raise_for_status()
    return sku, cart_id


def place_order(client: httpx.Client, *, method: str = "pm_card_visa", fulfilled: bool = False) -> str:
    """An order that is paid for, and sent where that is asked for."""
    _, cart_id = fill_cart(client)
    headers = key() | {"Prefer": "wait=10"}
    body = CHECKOUT | {"payment": {"method": method}}
    placed = client.post(f"/carts/{cart_id}/checkout", json=body, headers=headers).raise_for_status()
    order_id: str = placed.json()["id"]
    if fulfilled:
        client.post(f"/orders/{order_id}/fulfilments", json={"all": True}).raise_for_status()
    return order_id


def unpaid_order(client: httpx.Client) -> str:
    """An order that was sent, and whose money the gateway refuses to take."""
    order_id = place_order(client, method="pm_card_captureRefused", fulfilled=True)
    deadline = time.monotonic() + SECONDS_MAX
    while order_id not in client.get("/payments/owed").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return order_id


RULES: dict[str, Any] = {
    "PUT /api/v1/home": {"country": "GB"},
    "POST /api/v1/markets": {"market_id": "gb", "countries": ["GB"], "currencies": ["GBP"]},
    "POST /api/v1/tax-areas": {"area_id": "gb", "country": "GB"},
    "POST /api/v1/tax-areas/{area_id}/rates": {
        "rates": [{"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}]
    },
    "POST /api/v1/shipping-methods": {
        "method_id": "post",
        "label": "Post",
        "tiers": [{"price": {"GBP": 395}}],
    },
    "POST /api/v1/price-lists": {"list_id": "trade", "currency": "GBP"},
    "POST /api/v1/promotions": {
        "promotion_id": "ten",
        "label": "10 % off",
        "action": {"kind": "percent_off", "percent": 10},
    },
}
"""What defines a rule of sale, and a body that does."""
CHECKED = {
    "POST /api/v1/coupons",
    "POST /api/v1/coupon-batches",
    "POST /api/v1/gift-cards",
    "PUT /api/v1/customers/{customer_id}/tax-status",
    "POST /api/v1/carts/{cart_id}/checkout",
    "POST /api/v1/webhook-endpoints",
    "PUT /api/v1/webhook-endpoints/{endpoint_id}",
    "POST /api/v1/webhook-endpoints/{endpoint_id}/replay",
}
"""What else may be unfit though its form is right: a window that is over, a number's check digits."""


WEBHOOK_ENDPOINT: dict[str, Any] = {"url": "http://127.0.0.1:9/hook", "events": ["orders.order_placed"]}


def defined(client: httpx.Client, path: str, name: str) -> str:
    """A rule of its own: its id. `name` is that of the body's field."""
    rule_id = secrets.token_hex(4)
    body = RULES[f"POST /api/v1{path}"] | {name: rule_id}
    if path == "/tax-areas":  # of a place of its own
        body |= {"regions": [rule_id]}
    client.post(path, json=body).raise_for_status()
    return rule_id


def by_coupon(client: httpx.Client) -> str:
    """A promotion that applies by coupon."""
    promotion_id = secrets.token_hex(4)
    body = RULES["POST /api/v1/promotions"] | {"promotion_id": promotion_id, "automatic": False}
    client.post("/promotions", json=body).raise_for_status()
    return promotion_id


def gift_of(client: httpx.Client, sku: str) -> str:
    """A promotion that gives the product away: its id."""
    promotion_id = secrets.token_hex(4)
    gift = {"promotion_id": promotion_id, "label": "A gift", "action": {"kind": "gift", "skus": [sku]}}
    client.post("/promotions", json=gift | {"automatic": False}).raise_for_status()
    return promotion_id


def gift_card(client: httpx.Client) -> dict[str, str]:
    """A gift card: its id and code."""
    body = {"amount": {"amount": 5000, "currency": "GBP"}}
    answer = client.post("/gift-cards", json=body, headers=key()).raise_for_status()
    card: dict[str, str] = answer.json()
    return card


def webhook_endpoint(client: httpx.Client) -> str:
    """An endpoint on a port at which nobody listens: its id."""
    endpoint_id: str = (
        client.post("/webhook-endpoints", json=WEBHOOK_ENDPOINT).raise_for_status().json()["id"]
    )
    return endpoint_id


def issued(client: httpx.Client) -> str:
    """A coupon: its code."""
    code = secrets.token_hex(4).upper()
    client.post("/coupons", json={"code": code, "promotion_id": by_coupon(client)}).raise_for_status()
    return code


def successful(client: httpx.Client, label: str) -> tuple[dict[str, str], Any]:
    """What the operation is to be asked so that it succeeds in this shop: path parameters and body."""
    match label.partition("/api/v1")[2]:
        case "/products":
            price = {"amount": 100, "currency": "GBP"}
            return {}, {"sku": secrets.token_hex(4), "title": "A", "category": "A", "price": price}
        case "/products/{sku}/price":
            return {"sku": fill_cart(client)[0]}, {"price": {"amount": 200, "currency": "GBP"}}
        case "/products/{sku}":
            return {"sku": fill_cart(client)[0]}, {"title": "B", "category": "A", "weight_grams": 300}
        case "/products/{sku}/price/cancel":
            sku = fill_cart(client)[0]
            later = {"price": {"amount": 200, "currency": "GBP"}, "starts_at": "2199-01-01T00:00:00Z"}
            scheduled = client.post(f"/products/{sku}/price", json=later).raise_for_status().json()
            return {"sku": sku}, {"schedule_id": scheduled["schedule_id"]}
        case "/price-lists/{list_id}/prices":
            items = [{"sku": fill_cart(client)[0], "tiers": [{"from": 5, "amount": 90, "currency": "GBP"}]}]
            return {"list_id": defined(client, "/price-lists", "list_id")}, {"items": items}
        case "/products/{sku}/delist":
            return {"sku": fill_cart(client)[0]}, {"reason": "discontinued"}
        case "/inventory/{sku}/receipts":
            return {"sku": fill_cart(client)[0]}, {"quantity": 5}
        case "/inventory/{sku}/adjustments":
            return {"sku": fill_cart(client)[0]}, {"quantity": -1, "reason": "damaged"}
        case "/visits/{visit_id}/views":
            return {"visit_id": str(uuid4())}, {"sku": fill_cart(client)[0]}
        case "/carts":
            return {}, {"currency": "GBP"}
        case "/carts/{cart_id}/items":
            sku, cart_id = fill_cart(client)
            return {"cart_id": cart_id}, {"sku": sku, "quantity": 1}
        case "/carts/{cart_id}/items/{sku}":
            sku, cart_id = fill_cart(client)
            return {"cart_id": cart_id, "sku": sku}, {"quantity": 3} if label.startswith("PUT") else None
        case "/carts/{cart_id}/coupons":
            return {"cart_id": fill_cart(client)[1]}, {"code": issued(client)}
        case "/carts/{cart_id}/coupons/{code}":
            return {"cart_id": fill_cart(client)[1], "code": "TEN"}, None
        case "/carts/{cart_id}/delivery":
            return {"cart_id": fill_cart(client)[1]}, {"country": "GB", "postal_code": "LS1 4AP"}
        case "/carts/{cart_id}/gifts/{promotion_id}":
            sku, cart_id = fill_cart(client)
            promotion_id = gift_of(client, sku)
            body = {"sku": sku} if label.startswith("PUT") else None
            return {"cart_id": cart_id, "promotion_id": promotion_id}, body
        case "/carts/{cart_id}/quote":
            return {"cart_id": fill_cart(client)[1]}, None
        case "/carts/{cart_id}/checkout":
            return {"cart_id": fill_cart(client)[1]}, CHECKOUT
        case "/carts/{cart_id}/payment-action":
            cart_id = fill_cart(client)[1]
            waits = key() | {"Prefer": "wait=10"}
            body = CHECKOUT | {"payment": {"method": AUTHENTICATION_REQUIRED}}
            client.post(f"/carts/{cart_id}/checkout", json=body, headers=waits).raise_for_status()
            return {"cart_id": cart_id}, None
        case "/payments/webhooks/stripe":
            return {}, json.dumps(event("charge.succeeded", charge())).encode()
        case "/orders/{order_id}/cancel":
            return {"order_id": place_order(client)}, {}
        case "/orders/{order_id}/fulfilments":
            return {"order_id": place_order(client)}, {"all": True}
        case "/orders/{order_id}/returns":
            return {"order_id": place_order(client, fulfilled=True)}, {"all": True, "restock": True}
        case "/orders/{order_id}/refunds":
            return {"order_id": place_order(client, fulfilled=True)}, {"all": True}
        case "/payments/owed":
            return {}, None
        case "/payments/{order_id}/retry" | "/payments/{order_id}/write-off":
            return {"order_id": unpaid_order(client)}, {}
        case "/home" | "/markets" | "/tax-areas" | "/shipping-methods" | "/promotions":
            return {}, RULES[label]
        case "/price-lists":
            return {}, RULES[label] | {"list_id": secrets.token_hex(4)}
        case "/tax-areas/{area_id}/rates":
            return {"area_id": defined(client, "/tax-areas", "area_id")}, RULES[label]
        case "/markets/{market_id}/retire":
            return {"market_id": defined(client, "/markets", "market_id")}, None
        case "/tax-areas/{area_id}/retire":
            return {"area_id": defined(client, "/tax-areas", "area_id")}, None
        case "/shipping-methods/{method_id}/retire":
            return {"method_id": defined(client, "/shipping-methods", "method_id")}, None
        case "/price-lists/{list_id}/end":
            return {"list_id": defined(client, "/price-lists", "list_id")}, None
        case "/promotions/{promotion_id}/end":
            return {"promotion_id": defined(client, "/promotions", "promotion_id")}, {"reason": "over"}
        case "/promotions/{promotion_id}/try":
            promotion_id = defined(client, "/promotions", "promotion_id")
            return {"promotion_id": promotion_id}, {"cart_id": fill_cart(client)[1]}
        case "/coupons":
            return {}, {"code": secrets.token_hex(4), "promotion_id": by_coupon(client)}
        case "/coupons/{code}/revoke":
            code = secrets.token_hex(4)
            client.post("/coupons", json={"code": code, "promotion_id": by_coupon(client)}).raise_for_status()
            return {"code": code}, {"reason": "found out"}
        case "/gift-cards":
            return {}, {"amount": {"amount": 5000, "currency": "GBP"}, "expires_on": "2199-12-31"}
        case "/gift-cards/{account_id}/block":
            return {"account_id": gift_card(client)["id"]}, {"reason": "stolen"}
        case "/gift-cards/balance":
            return {}, {"code": gift_card(client)["code"]}
        case "/customers/{customer_id}/credit":
            return {"customer_id": "17850"}, {"amount": {"amount": 5, "currency": "GBP"}, "reason": "late"}
        case "/coupon-batches":
            return {}, {"promotion_id": by_coupon(client), "count": 3, "prefix": "SPRING-"}
        case "/customers/{customer_id}/groups":
            return {"customer_id": "17850"}, {"groups": ["trade"]}
        case "/customers/{customer_id}/tax-status":
            exemption = {"area_id": defined(client, "/tax-areas", "area_id"), "until": "2030-12-31"}
            return {"customer_id": "17850"}, {"vat_number": "DE136695976", "exemptions": [exemption]}
        case "/webhook-endpoints":
            return {}, WEBHOOK_ENDPOINT if label.startswith("POST") else None
        case "/webhook-endpoints/{endpoint_id}":
            body = WEBHOOK_ENDPOINT if label.startswith("PUT") else None
            return {"endpoint_id": webhook_endpoint(client)}, body
        case "/webhook-endpoints/{endpoint_id}/replay":
            return {"endpoint_id": webhook_endpoint(client)}, {"from_position": 1}
        case path if path.startswith("/webhook-endpoints/{endpoint_id}/"):
            return {"endpoint_id": webhook_endpoint(client)}, None
        case "":
            return {}, None  # /health and /metrics
    raise AssertionError(f"{label} is to be asked with success, too")


OPERATIONS = {operation.label: operation for operation, _ in CASES}


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_succeeds_as_documented(label: str, new_shop: str) -> None:
    operation = OPERATIONS[label]
    with httpx.Client(base_url=f"{new_shop}/api/v1", timeout=30) as client:
        path_parameters, body = successful(client, label)
    given = {"body": body, "media_type": "application/json"} if body is not None else {}
    headers = key()
    if label == WEBHOOK:
        headers["Stripe-Signature"] = sign(body, WEBHOOK_SECRET, datetime.now(UTC))
    case = operation.Case(path_parameters=path_parameters, headers=headers, **given)
    excluded = [ignored_auth] if label == WEBHOOK else []  # A wrong signature is 400, as the gateway expects.
    response = case.call_and_validate(base_url=new_shop, excluded_checks=excluded)
    assert response.status_code in {200, 201}, response.text


def test_the_document_says_which_keys_are_taken(address: str) -> None:
    parameters = document.raw_schema["paths"]["/api/v1/carts"]["post"]["parameters"]
    (pattern,) = (one["schema"]["pattern"] for one in parameters if one["name"] == "Idempotency-Key")
    with httpx.Client(base_url=address) as client:
        for character in map(chr, [*range(0x20, 0x7F), *range(0x80, 0x100)]):
            key = f"{secrets.token_hex(8)}{character}{secrets.token_hex(8)}"
            headers = {b"Idempotency-Key": key.encode("latin-1")}
            taken = client.post("/api/v1/carts", json={"currency": "GBP"}, headers=headers).status_code == 201
            assert taken == bool(re.fullmatch(pattern, key)), key


def test_every_body_has_a_name_of_its_own() -> None:
    schemas = document.raw_schema["components"]["schemas"]
    assert [name for name in schemas if "__" in name] == []  # as FastAPI tells two of one name apart
