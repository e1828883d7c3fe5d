"""Shoppers who place orders and, whatever breaks, retry under the same key until they get an answer."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.faults.background import Background
from tests.faults.http_client import Answer, Connections, Lost
from tests.shop.http import CHECKOUT
from tests.waiting import SECONDS_MAX

PAUSE_SECONDS = 0.05  # before asking again
THINKING_SECONDS = 0.1  # between a shopper's orders, so that the books stay small enough to be read through

Address = Callable[[], str]
"""Where the system answers now; OSError while nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Bought:
    """An order that was acknowledged, with every unit that was acknowledged for its cart."""

    order_id: str
    cart_id: str
    position: int
    units: Counter[str]
    key: str
    body: bytes


class Client:
    """Asks until it is answered."""

    def __init__(self, address: Address, *, connections_max: int = 100) -> None:
        self._address = address
        self._connections = Connections(most=connections_max)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.close()

    async def get(self, path: str) -> Answer:
        """Raises Lost where nothing comes."""
        return await self._connections.send("GET", self._known_address(), path)

    async def once(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Answer:
        """Whatever comes first. Raises Lost where nothing comes."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        content = json.dumps(body).encode()
        return await self._connections.send(
            "POST", self._known_address(), f"/api/v1{path}", content, **headers
        )

    async def post(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Answer:
        """The answer that is final: a success or a refusal. What is lost, or told to come back, comes back
        with the same key."""
        key = key or secrets.token_hex(16)
        deadline = time.monotonic() + SECONDS_MAX
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = answer = await self.once(path, body, key=key)
            except Lost as error:
                last = error
            else:
                if is_final(answer):
                    return answer
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"POST {path}: no answer within {SECONDS_MAX} s, last {last!r}")

    async def done(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Answer:
        """The same, where only a success will do."""
        answer = await self.post(path, body, key=key)
        assert answer.status in {200, 201}, answer
        return answer

    async def cart(self, *skus: str, customer_id: str | None = None) -> str:
        """A new cart with a unit of each."""
        body = {"currency": "GBP"} | ({"customer_id": customer_id} if customer_id else {})
        cart_id: str = (await self.done("/carts", body)).json()["id"]
        for sku in skus:
            await self.done(f"/carts/{cart_id}/items", {"sku": sku, "quantity": 1})
        return cart_id

    def _known_address(self) -> str:
        try:
            return self._address()
        except OSError as error:
            raise Lost("nobody answers") from error


def is_final(answer: Answer) -> bool:
    """Whether the shopper need not come back. Raises where a fault was answered by anything but 503."""
    if answer.status == 503:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] in {"/problems/store-unavailable", "/problems/busy"}, answer
        return False
    assert answer.status < 500, answer
    return not (answer.status == 409 and answer.json()["type"] == "/problems/idempotency-key-busy")


@dataclass
class Load(Background):
    """Shoppers at work; leaving the context waits until each was answered."""

    address: Address
    skus: Sequence[str]
    shoppers: int = 6
    customer_id: str = field(default_factory=lambda: f"customer-{secrets.token_hex(8)}")
    bought: list[Bought] = field(default_factory=list)

    def wait_for_orders(self, more: int) -> None:
        """Until so many more were acknowledged."""
        wanted = len(self.bought) + more
        self.wait_until(lambda: len(self.bought) >= wanted, lambda: f"{len(self.bought)} of {wanted} orders")

    def retry(self) -> None:
        """Every checkout once more under its key: each is answered, byte for byte, as the first time."""

        async def ask() -> None:
            async with Client(self.address) as client:
                await asyncio.gather(*(ask_for(client, one) for one in self.bought))

        async def ask_for(client: Client, one: Bought) -> None:
            again = await client.done(f"/carts/{one.cart_id}/checkout", CHECKOUT, key=one.key)
            assert (again.status, again.body) == (201, one.body)
            assert again.headers["idempotency-replayed"] == "true"

        asyncio.run(ask())

    async def work(self) -> None:
        async with Client(self.address) as client, asyncio.TaskGroup() as group:
            for number in range(self.shoppers):
                group.create_task(self._shop_on(client, random.Random(number)))

    async def _shop_on(self, client: Client, chance: random.Random) -> None:
        while not self._ending.is_set():
            cart_id = await client.cart(customer_id=self.customer_id)
            units: Counter[str] = Counter()
            for sku in chance.choices(self.skus, k=3):  # The same one twice means more of it.
                quantity = chance.randint(1, 3)
                await client.done(f"/carts/{cart_id}/items", {"sku": sku, "quantity": quantity})
                units[sku] += quantity
            key = secrets.token_hex(16)
            answer = await client.done(f"/carts/{cart_id}/checkout", CHECKOUT, key=key)
            content = answer.json()
            self.bought.append(
                Bought(
                    order_id=content["id"],
                    cart_id=cart_id,
                    position=content["position"],
                    units=units,
                    key=key,
                    body=answer.body,
                )
            )
            await asyncio.sleep(THINKING_SECONDS)
