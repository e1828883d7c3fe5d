"""Event streams of the running system: everybody who listens hears what happens, once."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.edge.wire import HOST, port_of, wire
from tests.system.running import RunningSystem, call

CROWD = 60


def test_a_crowd_hears_each_event_once(system: RunningSystem) -> None:
    feed = f"{system.addresses['read']}/api/v1/events"
    head = int(httpx.get(feed, params={"limit": 1}).headers["Daybook-View-Position"])
    skus = [f"HEARD-{n}" for n in range(5)]

    async def hear(client: httpx.AsyncClient, listening: asyncio.Semaphore) -> list[str]:
        heard: list[str] = []
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(head)}
        async with client.stream("GET", feed, headers=headers) as answer:
            assert answer.status_code == 200
            listening.release()
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and (event := json.loads(line[6:]))["position"] > head:
                    heard.append(event["data"]["sku"])
                if len(heard) == len(skus):
                    break
        return heard

    async def scenario() -> None:
        listening = asyncio.Semaphore(0)
        limits = httpx.Limits(max_connections=CROWD)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            assert (await client.head(feed, headers={"Accept": "text/event-stream"})).status_code == 200
            crowd = [asyncio.create_task(hear(client, listening)) for _ in range(CROWD)]
            for _ in crowd:
                await listening.acquire()
            for sku in skus:
                price = {"amount": 1, "currency": "GBP"}
                product = {"sku": sku, "title": sku, "category": "Heard", "price": price}
                await asyncio.to_thread(call, f"{system.addresses['commands']}/api/v1/products", product)
            assert await asyncio.gather(*crowd) == [skus] * CROWD

    asyncio.run(scenario())


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_client_of_http_1_0_gets_no_chunks(system: RunningSystem, method: bytes) -> None:
    """Such as nginx, unless it is told otherwise."""
    with wire(port_of(system.addresses["read"])) as line:
        line.send(method, b" /api/v1/events HTTP/1.0\r\n", HOST, b"Accept: text/event-stream\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received or (method == b"GET" and not received.endswith(b"\n\n")):
            received += line.socket.recv(65_536)
        head, _, body = received.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert b"connection: close" in head.lower()
        assert body.startswith(b"retry: ") if method == b"GET" else line.rest() == body == b""
