"""A whole system on Stripe over HTTP: purchases come to their ends, and nothing secret of Stripe's stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands.gateways.sandbox import Books, SandboxGateway
from commands.gateways.sandbox.delivery import Deliverer
from commands.gateways.sandbox.objects import CARD_HOLDER
from commands.gateways.stripe_events import WEBHOOK_PATH
from tests.shop.facts import EMAIL
from tests.shop.http import CHECKOUT, product_body
from tests.stripe.face import KEY, serving
from tests.system.running import RunningSystem, started
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WEBHOOK_SECRET = "whsec_planted_0123456789"
STRIPES_PERSON = (CARD_HOLDER, "27 Fredrick Ave", "jenny.rosen@example.com")


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path / "stripe.sqlite", webhook_secret=WEBHOOK_SECRET)
    yield books
    books.close()


class Shopper:
    """Buys over the APIs of a running system."""

    def __init__(self, system: RunningSystem) -> None:
        self._commands = httpx.Client(base_url=f"{system.addresses['commands']}/api/v1", timeout=30)
        self._read = httpx.Client(base_url=f"{system.addresses['read']}/api/v1", timeout=30)
        self.post("/products", product_body("MUG"))
        self.post("/inventory/MUG/receipts", {"quantity": 100, "reason": "delivery"}, key="receipt")

    def close(self) -> None:
        self._commands.close()
        self._read.close()

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {} if key is None else {"Idempotency-Key": f"0123456789abcdef-{key}"}
        response = self._commands.post(path, json=body, headers=headers)
        assert response.is_success, response.text
        return response.json()

    def buys(self, **payment: str) -> tuple[str, str]:
        """The cart's and the order's id."""
        cart = self.post("/carts", {"currency": "GBP"})["id"]
        self.post(f"/carts/{cart}/items", {"sku": "MUG", "quantity": 1})
        order = self.post(f"/carts/{cart}/checkout", CHECKOUT | {"payment": payment}, key=cart)["id"]
        return cart, order

    def waits_for(self, order: str, *statuses: str) -> None:
        """Until the order and its payment stand so."""

        def stands() -> tuple[str, str]:
            document = self._read.get(f"/orders/{order}").json()
            return document.get("status"), document.get("payment", {}).get("status")

        wait_until(lambda: stands() == statuses, why=lambda: f"{stands()}, not {statuses}")


def test_nothing_of_stripes_stays_behind(books: Books, stripe_mock: str) -> None:
    with serving(books, stripe_mock) as face:
        environment = {
            "DAYBOOK_STRIPE_SECRET_KEY": KEY,
            "DAYBOOK_STRIPE_WEBHOOK_SECRET": f"whsec_older_one,{WEBHOOK_SECRET}",
            "DAYBOOK_STRIPE_PUBLISHABLE_KEY": "pk_test_shown",
            "DAYBOOK_STRIPE_API_BASE": face.url,
        }
        with started(environment=environment) as system:
            shopper = Shopper(system)

            def deliver() -> None:
                asyncio.run(_deliver(books, f"{system.addresses['commands']}{WEBHOOK_PATH}"))

            _, paid = shopper.buys(method="pm_card_visa")
            shopper.waits_for(paid, "confirmed", "authorized")
            shopper.post(f"/orders/{paid}/fulfilments")
            shopper.waits_for(paid, "fulfilled", "captured")
            deliver()
            shopper.post(f"/orders/{paid}/refunds", {"amount": {"amount": 100, "currency": "GBP"}}, key="r")
            shopper.waits_for(paid, "fulfilled", "partially_refunded")

            cart, order = shopper.buys(confirmation_token="ctoken_authenticationRequired")
            shopper.waits_for(order, "placed", "action_required")
            secret = shopper.post(f"/carts/{cart}/payment-action")
            assert secret["publishable_key"] == "pk_test_shown"
            (reference,) = [one.reference for one in books.charges(order)]
            assert secret["client_secret"] == books.client_secret(reference)
            books.shopper_passes(reference)
            deliver()
            shopper.waits_for(order, "confirmed", "authorized")

            _, declined = shopper.buys(method="pm_card_chargeDeclined")
            shopper.waits_for(declined, "canceled", "declined")
            deliver()
            deliver()
            shopper.close()
            assert system.stop() == 0
            planted = [
                *(books.client_secret(one.reference) for one in books.charges()),
                KEY,
                WEBHOOK_SECRET,
                *STRIPES_PERSON,
                EMAIL,
            ]
            assert _found(system, planted) == []


async def _deliver(books: Books, url: str) -> None:
    gateway = SandboxGateway(books, echoes=True)
    async with httpx.AsyncClient(timeout=30) as client:
        while await Deliverer(gateway, url, client).deliver_due():
            pass


def _found(system: RunningSystem, texts: list[str]) -> list[tuple[str, str]]:
    """Which of the texts lie in which file of the system's, its output included."""
    output = [path for path in system.data.parent.iterdir() if path.is_file()]
    files = [path for path in system.data.rglob("*") if path.is_file() and not path.is_symlink()]
    found = []
    for path in (*output, *files):
        held = path.read_bytes()
        found += [(text, path.name) for text in texts if text.encode() in held]
    return found
