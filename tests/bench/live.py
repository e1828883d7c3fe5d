"""Documents watched live on a whole running system: how long after a command's response each client has it.

2,000 clients of one query process, while commands change what they watch, 500 a second: each a cart of its
own; then all of them the stock of 20 products, where every change goes to a hundred. A change counts as seen
with the first message of its position or a later one, and every one must be. The clients are one process, the
writers another, both on bare sockets: they share the machine with the system.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import time
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil
import uvloop

from tests.faults.http_client import Connections
from tests.system.running import RunningSystem, started

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "2000"))
CHANGES_A_SECOND = int(os.environ.get("BENCH_CHANGES", "500"))
SECONDS = 10.0
WRITERS = 16
PRODUCTS = 20
CONNECTING_AT_ONCE = 50
SEEN_SECONDS_MAX = 30.0

_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Change(NamedTuple):
    """A command that changed a document: its event's position, and when its response came (monotonic)."""

    place: int
    position: int
    at: float


@dataclass
class Live:
    """What is watched and how it is changed, by place: the paths, and one command for each."""

    name: str
    watched: Sequence[str]
    changing: Sequence[str]
    body: bytes
    clients: Sequence[int]
    """What each client watches."""


def main() -> None:
    """Prints a table for each."""
    with started("--demo", "sample") as system:
        query = system.addresses["read"]
        skus = [one["sku"] for one in httpx.get(f"{query}/api/v1/products?limit={PRODUCTS}").json()["items"]]
        carts = uvloop.run(_opened(system.addresses["commands"]))
        for live in (
            Live(
                "carts",
                [f"/api/v1/carts/{cart}" for cart in carts],
                [f"/api/v1/carts/{cart}/items" for cart in carts],
                json.dumps({"sku": skus[0], "quantity": 1}).encode(),
                range(CLIENTS),
            ),
            Live(
                "products",
                [f"/api/v1/products/{sku}" for sku in skus],
                [f"/api/v1/inventory/{sku}/receipts" for sku in skus],
                json.dumps({"quantity": 1}).encode(),
                [client % len(skus) for client in range(CLIENTS)],
            ),
        ):
            uvloop.run(_measure(system, live))


async def _measure(system: RunningSystem, live: Live) -> None:
    clients = [Client() for _ in live.clients]
    query = system.addresses["read"]
    connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connect(client: Client, place: int) -> None:
        async with connecting:
            await client.watch(query, f"{live.watched[place]}/live")

    await asyncio.gather(*map(connect, clients, live.clients))
    received = sum(len(client.seen) for client in clients)
    everyone = _processes(system)
    before, begun = {name: _cpu(one) for name, one in everyone.items()}, time.monotonic()
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawning) as pool:
        writing = pool.submit(_write, system.addresses["commands"], live.changing, live.body)
        changes, took = await asyncio.wrap_future(writing)
    last = {change.place: change.position for change in sorted(changes, key=lambda one: one.position)}
    async with asyncio.timeout(SEEN_SECONDS_MAX):
        await asyncio.gather(
            *(
                client.wait_for(last.get(place, 0))
                for client, place in zip(clients, live.clients, strict=True)
            )
        )
    passed = time.monotonic() - begun
    cpu = {name: (_cpu(one) - before[name]) / passed for name, one in everyone.items()}
    received = sum(len(client.seen) for client in clients) - received
    late = sorted(_lateness(clients, live.clients, changes))

    def percentile(part: float) -> float:
        return late[min(len(late) - 1, int(len(late) * part))] * 1e3

    print(f"{live.name}: {len(clients):,} clients, {len(changes) / took:,.0f} changes/s for {took:.1f} s")
    print(
        f"  after the response: p50 {percentile(0.5):.0f} ms, p99 {percentile(0.99):.0f} ms, at most"
        f" {late[-1] * 1e3:.0f} ms   to reach p99 500 ms"
    )
    print(f"  {received / passed:,.0f} messages/s for {len(late) / passed:,.0f} changes seen/s")
    print("  of a core: " + ", ".join(f"{name} {part:.0%}" for name, part in cpu.items()))
    memory = everyone["query"][0].memory_info().rss / 2**20
    print(f"  query process: {memory:.0f} MiB", flush=True)
    for client in clients:
        client.close()


class Client(asyncio.Protocol):
    """One that watches: which positions came, and when."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []
        self._rest = b""
        self._more: asyncio.Event = asyncio.Event()

    async def watch(self, base: str, path: str) -> None:
        """Returns with the first message."""
        address = urlsplit(base)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, address.hostname, address.port)
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        await self._more.wait()

    def data_received(self, data: bytes) -> None:
        """Notes each message's position."""
        now = time.monotonic()
        data = self._rest + data
        complete = data.rfind(b"\n") + 1
        if not self.seen and not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a stream was refused: {data[:80]!r}")
        self.seen += [(int(found[1]), now) for found in _ID.finditer(data, 0, complete)]
        self._rest = data[complete:] if self.seen else data
        if self.seen:
            self._more.set()

    async def wait_for(self, position: int) -> None:
        """Until that position came, or a later one."""
        while self.seen[-1][0] < position:
            self._more.clear()
            await self._more.wait()

    def close(self) -> None:
        """Watches no more."""
        self._transport.abort()


def _lateness(clients: Sequence[Client], places: Sequence[int], changes: Sequence[Change]) -> list[float]:
    """Of every change at every client that watched it: seconds from its command's response."""
    by_place: dict[int, list[Change]] = {}
    for change in changes:
        by_place.setdefault(change.place, []).append(change)
    late = []
    for client, place in zip(clients, places, strict=True):
        positions = [position for position, _ in client.seen]
        for change in by_place.get(place, ()):
            late.append(client.seen[bisect_left(positions, change.position)][1] - change.at)
    return late


def _write(base: str, paths: Sequence[str], body: bytes) -> tuple[list[Change], float]:
    """In a process of its own: the commands one after another, so many a second, over several connections."""
    return uvloop.run(_written(base, paths, body))


async def _written(base: str, paths: Sequence[str], body: bytes) -> tuple[list[Change], float]:
    changes: list[Change] = []
    connections = Connections(most=WRITERS)
    turns = iter(range(int(SECONDS * CHANGES_A_SECOND)))
    begun = time.monotonic()

    async def write() -> None:
        for turn in turns:
            await asyncio.sleep(max(0.0, begun + turn / CHANGES_A_SECOND - time.monotonic()))
            place = turn % len(paths)
            answer = await connections.send(
                "POST", base, paths[place], body, **{"Idempotency-Key": f"{begun}-{turn}"}
            )
            if answer.status not in (200, 201):
                raise SystemExit(f"a command was refused: {answer.body!r}")
            changes.append(Change(place, int(answer.headers["daybook-position"]), time.monotonic()))

    await asyncio.gather(*(write() for _ in range(WRITERS)))
    await connections.close()
    return changes, time.monotonic() - begun


async def _opened(base: str) -> list[str]:
    """As many new carts as there are clients."""
    connections = Connections(most=WRITERS)
    body = json.dumps({"currency": "GBP"}).encode()
    opened = await asyncio.gather(
        *(connections.send("POST", base, "/api/v1/carts", body) for _ in range(CLIENTS))
    )
    await connections.close()
    return [answer.json()["id"] for answer in opened]


def _processes(system: RunningSystem) -> dict[str, list[psutil.Process]]:
    """The system's and ours, by what they are."""
    found = system.children()
    found["postgres"] += [one for each in found["postgres"] for one in each.children()]
    return found | {"clients": [psutil.Process()]}


def _cpu(processes: Sequence[psutil.Process]) -> float:
    """Seconds so far, of those that have not ended: a connection's process of PostgreSQL may."""
    seconds = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


if __name__ == "__main__":
    main()
