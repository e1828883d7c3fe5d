"""A whole system with an operator token: what strangers get, and where personal data is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from redis import Redis

from tests.system.running import RunningSystem, started, tried
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TOKEN = {"DAYBOOK_OPERATOR_TOKEN": "guarded-0123456789"}
BEARER = {"Authorization": "Bearer guarded-0123456789"}
PLANTED = "Planted"  # begins every text that is personal


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    with started(environment=TOKEN | {"DAYBOOK_ACCESS_LOG": "true"}) as system:
        yield system


def test_what_is_printed_works_for_who_has_the_token(system: RunningSystem) -> None:
    assert '"status":"confirmed"' in tried(system, TOKEN).replace(" ", "")


class Shopper:
    """Says personal things wherever a request has words."""

    def __init__(self, system: RunningSystem, client: httpx.Client) -> None:
        self._commands = f"{system.addresses['commands']}/api/v1"
        self._client = client

    def post(self, path: str, body: object, expected: int, **headers: str) -> dict[str, str]:
        key = {"Idempotency-Key": f"{PLANTED}-{uuid4().hex}"}
        answer = self._client.post(f"{self._commands}/{path}", json=body, headers=key | headers)
        assert answer.status_code == expected, answer.text
        said: dict[str, str] = answer.json()
        return said

    def order(self, expected: int = 201, quantity: int = 2) -> dict[str, str]:
        cart = self.post("carts", {"currency": "GBP"}, 201)["id"]
        self.post(f"carts/{cart}/items", {"sku": "MUG-1", "quantity": quantity}, 201)
        parts = ("name", "line1", "line2", "city", "region")
        address = {part: f"{PLANTED} {part}" for part in parts} | {"postal_code": PLANTED, "country": "GB"}
        payment = {"method": "pm_card_visa"}
        body = {"email": f"{PLANTED}@example.com", "shipping_address": address, "payment": payment}
        return self.post(f"carts/{cart}/checkout", body, expected, Prefer="wait=5")


@pytest.fixture
def shopper(system: RunningSystem) -> Iterator[Shopper]:
    with httpx.Client(timeout=30, headers={"User-Agent": PLANTED, "Referer": f"http://{PLANTED}/"}) as client:
        yield Shopper(system, client)


def test_what_is_personal_is_nowhere_in_the_clear(system: RunningSystem, shopper: Shopper) -> None:
    reason = {"reason": f"{PLANTED} reason"}
    canceled, sent, refunded = shopper.order(), shopper.order(), shopper.order()
    shopper.order(expected=409, quantity=500)
    secret = {"Daybook-Order-Secret": canceled["order_secret"]}
    shopper.post(f"orders/{canceled['id']}/cancel", reason, 200, **secret)
    shopper.post("orders/none/cancel", reason, 404, **BEARER)
    unit = {"lines": [{"line_id": "1", "quantity": 1}]} | reason
    for part in ("fulfilments", "returns", "refunds"):
        shopper.post(f"orders/{sent['id']}/{part}", unit, 201, **BEARER)
    last = shopper.post(f"orders/{refunded['id']}/refunds", {"all": True} | reason, 201, **BEARER)

    read = f"{system.addresses['read']}/api/v1"
    pages = [f"{read}/orders/{one['id']}" for one in (canceled, sent, refunded)]
    pages += [
        f"{read}/events?limit=1000",
        *(f"{system.addresses[side]}/metrics" for side in ("commands", "read")),
    ]
    for page in pages:
        answer = httpx.get(page, headers=BEARER | {"Daybook-Min-Position": str(last["position"])})
        assert (answer.status_code, PLANTED in answer.text) == (200, False), page

    (process,) = system.children()["commands"]
    process.kill()
    wait_until(lambda: process not in system.children().get("commands", [process]))
    kept = everything_kept(system)
    assert [place for place, said in kept.items() if b"Mug, blue" in said]
    assert [place for place, said in kept.items() if place.endswith(".log") and b'"/api/v1/carts"' in said]
    assert [place for place, said in kept.items() if PLANTED.encode() in said] == []


def everything_kept(system: RunningSystem) -> dict[str, bytes]:
    """Every table's rows, and every file of the data folder, Redis' among them."""
    kept: dict[str, bytes] = {}
    with psycopg.connect(system.addresses["postgres"], autocommit=True) as database:
        for (table,) in database.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'daybook'"
        ).fetchall():
            rows = database.execute(sql.SQL("SELECT * FROM daybook.{}").format(sql.Identifier(table)))
            values = [one if isinstance(one, bytes) else str(one).encode() for row in rows for one in row]
            kept[table] = b"\n".join(values)
    with Redis.from_url(system.addresses["redis"]) as redis:
        redis.config_set("rdbcompression", "no")
        redis.save()
    for file in system.data.rglob("*"):
        with suppress(OSError):  # A folder, a socket, or gone since.
            kept[str(file)] = file.read_bytes()
    return kept
