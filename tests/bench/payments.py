"""Money on a whole running system: checkouts to their authorization, and news at the webhook.

Clients are processes of their own. A checkout is awaited (`Prefer: wait`) until the gateway has answered; its
rate stands beside that of adding to carts in the same run.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import uvloop

from commands.gateways.sandbox import Books
from commands.gateways.stripe_events import WEBHOOK_PATH
from commands.gateways.stripe_signature import sign
from tests.bench.load import Report
from tests.bench.storefront import ADD, Route, routes_of
from tests.shop.http import CHECKOUT
from tests.system.running import RunningSystem, started

BUYERS = 32
SENDERS = 16
OFFERED = 300.0  # news a second, whether or not the server keeps up
CHECKOUTS = int(os.environ.get("BENCH_CHECKOUTS", "1500"))

Request = tuple[str, str, dict[str, str]]
"""A URL, a body, headers."""


def main() -> None:
    """Prints the tables."""
    with started("--demo", "sample") as system:
        adding = routes_of(system, ["BAG-ROLL-FERN"])[ADD]
        carts = _filled_carts(system)
        _load(adding)
        checkouts = _measured(system, _checkouts(system, carts), BUYERS)
        _load(adding)
        news = _news(system)
        half = len(news) // 2
        offered = _measured(system, news[:half], SENDERS, OFFERED)
        saturated = _measured(system, news[half:], SENDERS)
    rate, cpu = adding.median("rate"), statistics.median(adding.cpu) / 1000
    print("| ratio | | to reach |\n| --- | ---: | ---: |")
    print(f"| checkout to authorized / add to cart, a second | {checkouts[0].rate / rate:.3f} | 0.15 |")
    print("\n| | a second | p50 ms | p99 ms | CPU ms | |\n| --- | ---: | ---: | ---: | ---: | --- |")
    print(f"| add to cart, 32 connections | {rate:,.0f} | {adding.median('p50'):.1f} | | {cpu:.2f} | |")
    for name, (report, cpu) in (
        (f"checkout to authorized, {BUYERS} buyers", checkouts),
        (f"news, {OFFERED:.0f} a second offered, {SENDERS} senders", offered),
        (f"news, {SENDERS} senders", saturated),
    ):
        p50, p99 = report.percentile(0.5), report.percentile(0.99)
        print(
            f"| {name} | {report.rate:,.0f} | {p50:.1f} | {p99:.1f} | {cpu:.2f} | {dict(report.statuses)} |"
        )


def _measured(
    system: RunningSystem, requests: list[Request], at_once: int, arrivals: float | None = None
) -> tuple[Report, float]:
    """And milliseconds of the command process's CPU for each."""

    def cpu_seconds() -> float:
        times = [process.cpu_times() for process in system.children()["commands"]]
        return sum(one.user + one.system for one in times)

    before = cpu_seconds()
    report = _post(requests, at_once, arrivals)
    return report, (cpu_seconds() - before) / len(requests) * 1000


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


def _post(requests: list[Request], at_once: int, arrivals: float | None = None) -> Report:
    """By so many connections as fast as they can; or so many a second, however the server keeps up: then a
    latency counts from the moment at which the request was due.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as client:
        return client.submit(_posting, requests, at_once, arrivals).result()


def _posting(requests: list[Request], at_once: int, arrivals: float | None) -> Report:
    gc.collect()
    gc.freeze()
    return uvloop.run(_posted(requests, at_once, arrivals))


async def _posted(requests: list[Request], at_once: int, arrivals: float | None) -> Report:
    waiting, report = deque(enumerate(requests)), Report(statuses=Counter())

    async def sender(begun: float) -> None:
        address = urlsplit(requests[0][0])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while waiting:
            number, request = waiting.popleft()
            due = time.perf_counter()
            if arrivals is not None:
                due = begun + number / arrivals
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(_bytes_of(request))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            report.latencies.append(time.perf_counter() - due)
            report.statuses[int(head.split()[1])] += 1
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(sender(begun) for _ in range(at_once)))
    report.seconds = time.perf_counter() - begun
    return report


def _bytes_of(request: Request) -> bytes:
    """As it goes over the connection. A client library would take as much of the cores as the server does."""
    url, body, headers = request
    address = urlsplit(url)
    fields = {"Host": address.netloc, "Content-Length": str(len(body.encode()))} | headers
    lines = [f"POST {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join((*lines, "", body)).encode()
