"""Money on a whole running system: checkouts to their authorization, and news at the webhook.

Clients are processes of their own. A checkout is awaited (`Prefer: wait`) until the gateway has answered; its
rate stands beside that of adding to carts in the same run.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx

from commands.gateways.sandbox import Books
from commands.gateways.stripe_events import WEBHOOK_PATH
from commands.gateways.stripe_signature import sign
from tests.bench.load import Report
from tests.bench.storefront import ADD, Route, routes_of
from tests.shop.http import CHECKOUT
from tests.system.running import RunningSystem, started

BUYERS = 32
SENDERS = 16
CHECKOUTS = int(os.environ.get("BENCH_CHECKOUTS", "1500"))

Request = tuple[str, str, dict[str, str]]
"""A URL, a body, headers."""


def main() -> None:
    """Prints the table."""
    with started("--demo", "sample") as system:
        adding = routes_of(system, ["BAG-ROLL-FERN"])[ADD]
        carts = _filled_carts(system)
        _load(adding)
        checkouts = _post(_checkouts(system, carts), BUYERS)
        _load(adding)
        news = _post(_news(system), SENDERS)
    rate = adding.median("rate")
    print("| ratio | | to reach |\n| --- | ---: | ---: |")
    print(f"| checkout to authorized / add to cart, a second | {checkouts.rate / rate:.3f} | 0.15 |")
    print("\n| | a second | p50 ms | p99 ms | |\n| --- | ---: | ---: | ---: | --- |")
    print(f"| add to cart, 32 connections | {rate:,.0f} | {adding.median('p50'):.1f} | | |")
    for name, report in ((f"checkout to authorized, {BUYERS} buyers", checkouts), ("news, 16 senders", news)):
        p50, p99 = report.percentile(0.5), report.percentile(0.99)
        print(f"| {name} | {report.rate:,.0f} | {p50:.1f} | {p99:.1f} | {dict(report.statuses)} |")


def _load(route: Route) -> None:
    route.load(seconds=2.0)


def _filled_carts(system: RunningSystem) -> list[str]:
    async def fill(client: httpx.AsyncClient) -> str:
        opened = await client.post("/carts", json={"currency": "GBP"})
        cart = str(opened.json()["id"])
        await client.post(f"/carts/{cart}/items", json={"sku": "BAG-ROLL-FERN", "quantity": 1})
        return cart

    async def fill_all() -> list[str]:
        base = f"{system.addresses['commands']}/api/v1"
        async with httpx.AsyncClient(base_url=base, timeout=30) as client:
            receipt = {"quantity": CHECKOUTS, "reason": "delivery"}
            headers = {"Idempotency-Key": "bench-0123456789abcdef"}
            await client.post("/inventory/BAG-ROLL-FERN/receipts", json=receipt, headers=headers)
            carts: list[str] = []
            for begun in range(0, CHECKOUTS, BUYERS):
                some = range(min(BUYERS, CHECKOUTS - begun))
                carts += await asyncio.gather(*(fill(client) for _ in some))
            return carts

    return asyncio.run(fill_all())


def _checkouts(system: RunningSystem, carts: Sequence[str]) -> list[Request]:
    base, body = f"{system.addresses['commands']}/api/v1", json.dumps(CHECKOUT)
    headers = {"Content-Type": "application/json", "Prefer": "wait=20"}
    return [
        (f"{base}/carts/{cart}/checkout", body, headers | {"Idempotency-Key": f"bench-{cart}"})
        for cart in carts
    ]


def _news(system: RunningSystem) -> list[Request]:
    """All that the sandbox could tell of the purchases, each signed."""
    books = Books(system.data / "sandbox.sqlite")
    now = datetime.now(UTC)
    requests = []
    for event in books.events(now - timedelta(days=1)):
        body = json.dumps(dict(event))
        headers = {"Stripe-Signature": sign(body.encode(), books.webhook_secret, now)}
        requests.append((f"{system.addresses['commands']}{WEBHOOK_PATH}", body, headers))
    books.close()
    return requests


def _post(requests: list[Request], at_once: int) -> Report:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as client:
        return client.submit(_posting, requests, at_once).result()


def _posting(requests: list[Request], at_once: int) -> Report:
    return asyncio.run(_posted(requests, at_once))


async def _posted(requests: list[Request], at_once: int) -> Report:
    waiting, report = deque(requests), Report(statuses=Counter())

    async def sender(client: httpx.AsyncClient) -> None:
        while waiting:
            url, body, headers = waiting.popleft()
            sent = time.perf_counter()
            response = await client.post(url, content=body, headers=headers)
            report.latencies.append(time.perf_counter() - sent)
            report.statuses[response.status_code] += 1

    async with httpx.AsyncClient(timeout=60) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(sender(client) for _ in range(at_once)))
        report.seconds = time.perf_counter() - begun
    return report
