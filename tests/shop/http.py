"""The command API over a log, in this process, and what its customers ask of it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from commands.gateways.sandbox import SandboxGateway
from commands.handlers.registry import HANDLERS
from commands.http.app import build_command_app
from commands.loop.handling import Handling
from commands.processes.manager import ProcessManagers, all_kinds
from commands.providers.choose import Providers
from commands.settings import Settings
from deploy.edge.bodies import Bodies
from deploy.edge.middleware import behind_the_edge
from deploy.edge.settings import EdgeSettings
from event_store.records import EventLog
from tests.shop import log as shop_log
from tests.shop.facts import CODEC

CHECKOUT = {
    "email": "anna@example.com",
    "shipping_address": {
        "name": "Anna Example",
        "line1": "1 High Street",
        "city": "London",
        "postal_code": "N1 1AA",
        "country": "GB",
    },
    "payment": {"method": "pm_card_visa"},
}


def product_body(sku: str, *, pence: int = 1299, currency: str = "GBP") -> dict[str, Any]:
    """What lists a product."""
    price = {"amount": pence, "currency": currency}
    return {"sku": sku, "title": f"Product {sku}", "category": "Kitchen > Mugs", "price": price}


def key() -> dict[str, str]:
    """The header of a new idempotency key."""
    return {"Idempotency-Key": secrets.token_hex(16)}


@dataclass(slots=True)
class Shop:
    """One command process over `log`; `client` speaks HTTP to it."""

    log: EventLog
    client: httpx.AsyncClient
    handling: Handling
    gateway: SandboxGateway

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """POSTs to `/api/v1<path>`; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/api/v1{path}", json=body, headers=named)

    async def product(self, sku: str, *, units: int = 0, pence: int = 1299, currency: str = "GBP") -> None:
        """Lists a product and receives `units` of it."""
        listed = await self.post("/products", product_body(sku, pence=pence, currency=currency))
        assert listed.status_code == 201, listed.text
        if units:
            received = await self.post(f"/inventory/{sku}/receipts", {"quantity": units}, **key())
            assert received.status_code == 201, received.text

    async def cart(self, **items: int) -> str:
        """A cart with these SKUs (named with _ for -) in these quantities."""
        opened = await self.post("/carts", {"currency": "GBP"})
        assert opened.status_code == 201, opened.text
        cart_id: str = opened.json()["id"]
        for sku, quantity in items.items():
            added = await self.post(
                f"/carts/{cart_id}/items", {"sku": sku.replace("_", "-"), "quantity": quantity}
            )
            assert added.status_code == 201, added.text
        return cart_id

    async def checkout(
        self, cart_id: str, *, method: str = "pm_card_visa", wait: bool = True, **headers: str
    ) -> httpx.Response:
        """Checks the cart out, by default waiting for the payment."""
        prefer = {"Prefer": "wait=10"} if wait else {}
        body = {**CHECKOUT, "payment": {"method": method}}
        return await self.post(f"/carts/{cart_id}/checkout", body, **{**key(), **prefer, **headers})

    def events(self, *types: str) -> list[Any]:
        """Every event of the log, decoded; of these stored names only, where there are any."""
        return shop_log.events(self.log, *types)


@asynccontextmanager
async def open_shop(
    log: EventLog,
    folder: Path,
    *,
    providers: Providers | None = None,
    edge: EdgeSettings | None = None,
    limited: Callable[[ASGIApp], ASGIApp] | None = None,
    peer: str = "127.0.0.1",
    **settings: Any,
) -> AsyncIterator[Shop]:
    """A shop on `log`, with the sandbox gateway's ledger in `folder`, that may ask these providers; with
    `edge`, behind all of it, and `limited`. Requests come from `peer`."""
    given = {"deadline_seconds": 30.0} | settings  # The machine may be busy with other tests.
    configured = Settings(postgres_url="postgresql:///not-used", data_dir=folder, **given)
    handling = Handling(log, CODEC, HANDLERS, deadline_seconds=configured.deadline_seconds)
    gateway = SandboxGateway(folder / "sandbox.sqlite")
    app: ASGIApp = build_command_app(configured, handling, log, gateway, providers=providers)
    app = (
        Bodies(app)
        if edge is None
        else behind_the_edge(app, edge, methods=("GET", "POST", "PUT"), limited=limited)
    )
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with (
        handling,
        ProcessManagers(log, CODEC, handling, all_kinds(gateway, log)),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client,
    ):
        yield Shop(log, client, handling, gateway)
