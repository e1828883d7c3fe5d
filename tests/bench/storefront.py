"""The storefront's figures on a whole running system, with raw ceilings beside them."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.bench import peers
from tests.bench.bare import bare_pages
from tests.bench.load import Report, http_request, put_load
from tests.system.running import RunningSystem

CONNECTIONS = 32


async def product_pages(query: str, skus: list[str], *, seconds: float = 8.0, warm_up: float = 1.0) -> Report:
    """Random product pages of the query API."""
    requests = [http_request("GET", f"/api/v1/products/{sku}") for sku in skus]
    return await put_load(
        port_of(query),
        lambda n, turn: requests[(n * 7 + turn) % len(requests)],
        connections=CONNECTIONS,
        seconds=seconds,
        warm_up=warm_up,
    )


async def adding_to_carts(commands: str, query: str, skus: list[str]) -> tuple[Report, Report]:
    """Clients filling carts of their own; and how soon a reader sees what it wrote, under that load."""
    async with httpx.AsyncClient(timeout=30) as client:
        carts = []
        for _ in range(CONNECTIONS + 1):
            opened = await client.post(f"{commands}/api/v1/carts", json={"currency": "GBP"})
            carts.append(opened.json()["id"])

        def add(n: int, turn: int) -> bytes:
            body = json.dumps({"sku": skus[(n + turn) % 10], "quantity": 1}).encode()
            return http_request("POST", f"/api/v1/carts/{carts[n]}/items", body)

        freshness = Report()

        async def watch() -> None:
            begun = time.perf_counter()
            while True:
                quantity = secrets.randbelow(900) + 1
                wrote = await client.put(
                    f"{commands}/api/v1/carts/{carts[-1]}/items/{skus[0]}",
                    json={"quantity": quantity},
                )
                sent = time.perf_counter()
                seen = await client.get(
                    f"{query}/api/v1/carts/{carts[-1]}",
                    headers={"Daybook-Min-Position": wrote.headers["daybook-position"]},
                )
                freshness.latencies.append(time.perf_counter() - sent)
                freshness.statuses[seen.status_code] += 1
                freshness.seconds = time.perf_counter() - begun
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        report = await put_load(port_of(commands), add, connections=CONNECTIONS)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return report, freshness


def port_of(address: str) -> int:
    """The port of `http://127.0.0.1:…`."""
    return int(address.rpartition(":")[2])


def rebuild(system: RunningSystem) -> str:
    """Rebuilds every view and says how long it took."""
    begun = time.perf_counter()
    daybook = [sys.executable, "-m", "daybook", "projections", "rebuild", "all", "--data", str(system.data)]
    subprocess.run(daybook, check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    ready = httpx.get(f"{system.addresses['commands']}/health/ready").json()
    events = int(ready["position"])
    return f"rebuild of all views: {events:,} events in {seconds:.1f} s, {events / seconds:,.0f} events/s"


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        begun = time.perf_counter()
        system = RunningSystem(Path(folder) / "data", "--demo", "sample")
        try:
            system.wait_ready()
            print(f"ready with the sample shop after {time.perf_counter() - begun:.1f} s")
            commands, query = system.addresses["commands"], system.addresses["read"]
            listed = httpx.get(f"{query}/api/v1/products?limit=200").json()
            skus = [product["sku"] for product in listed["items"]]
            page = httpx.get(f"{query}/api/v1/products/{skus[0]}").content
            pages = asyncio.run(product_pages(query, skus))
            bare = asyncio.run(bare_pages(len(page)))
            print(pages.line(f"product page, {CONNECTIONS} connections"))
            print(bare.line("  bare uvicorn, as many bytes"))
            print(f"  ratio {pages.rate / bare.rate:.2f}")
            adds, freshness = asyncio.run(adding_to_carts(commands, query, skus))
            inserts = peers.plain_threads(system.addresses["postgres"], CONNECTIONS, 5.0)
            print(adds.line(f"add to cart, {CONNECTIONS} clients"))
            print(inserts.line(f"  plain INSERT, {CONNECTIONS} connections"))
            print(f"  ratio {adds.rate / inserts.rate:.2f}")
            print(freshness.line("read your write, under that load"))
            print(rebuild(system))
        finally:
            system.end()
