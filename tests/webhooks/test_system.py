"""Webhooks of a whole system, whose command processes are killed while it sends."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from standardwebhooks import Webhook

from tests.shop.http import key, product_body
from tests.system.running import started
from tests.waiting import SECONDS_MAX
from tests.webhooks.receivers import receiving, until

pytestmark = pytest.mark.slow


def test_a_running_system_sends_what_happens_and_goes_on_after_its_processes_were_killed() -> None:
    with started("--commands", "2", environment={"DAYBOOK_WEBHOOK_NETWORKS": "127.0.0.0/8"}) as system:

        async def scenario() -> None:
            base = f"{system.addresses['commands']}/api/v1"
            async with (
                receiving() as receiver,
                httpx.AsyncClient(base_url=base, timeout=SECONDS_MAX) as client,
            ):
                hook = {"url": receiver.url(), "events": ["catalog.product_listed"]}
                made = (await client.post("/webhook-endpoints", json=hook)).raise_for_status().json()
                await list_product(client, "MUG-1")
                await until(lambda: len(receiver.taken) == 1)
                (received,) = receiver.taken
                assert (
                    Webhook(made["secret"]).verify(received.body, received.headers)["data"]["sku"] == "MUG-1"
                )
                for process in system.children()["commands"]:
                    process.kill()
                await list_product(client, "MUG-2")
                await until(lambda: len({one.id for one in receiver.taken}) == 2, lambda: system.complained)
                deliveries = await client.get(f"/webhook-endpoints/{made['id']}/deliveries")
                assert {one["state"] for one in deliveries.json()["items"]} <= {"delivered", "pending"}

        asyncio.run(scenario())


async def list_product(client: httpx.AsyncClient, sku: str) -> None:
    """Once the processes are back."""
    named = key()
    while True:
        try:
            answer = await client.post("/products", json=product_body(sku), headers=named)
        except httpx.TransportError:
            await asyncio.sleep(0.1)
            continue
        if answer.status_code < 500:
            answer.raise_for_status()
            return
