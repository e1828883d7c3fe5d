"""Carts watched live on a whole running system: how long after a command's response each client sees it.

2,000 clients each watch a cart of their own in one query process; a writer changes one cart after another,
500 a second. The clients are tasks of one process on bare sockets, which shares the machine with the system.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time

import httpx
import psutil
import uvloop

from tests.system.running import RunningSystem, started

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "2000"))
CHANGES_A_SECOND = 500
SECONDS = 10.0
WRITERS = 16


def main() -> None:
    """Prints the percentiles, and what the query process took."""
    with started("--demo", "sample") as system:
        uvloop.run(_measure(system))


async def _measure(system: RunningSystem) -> None:
    commands, query = system.addresses["commands"], system.addresses["read"]
    async with httpx.AsyncClient(base_url=commands, timeout=30.0) as client:
        sku = (await client.get(f"{query}/api/v1/products?limit=1")).json()["items"][0]["sku"]
        carts: list[str] = []
        for _ in range(CLIENTS):
            carts.append((await client.post("/api/v1/carts", json={"currency": "GBP"})).json()["id"])
    seen: dict[int, float] = {}  # when the message of this position came
    host, _, port = query.removeprefix("http://").partition(":")
    ready = asyncio.Semaphore(0)
    watching = [asyncio.create_task(_watch(host, int(port), cart, seen, ready)) for cart in carts]
    for _ in carts:
        await ready.acquire()
    process = psutil.Process(system.children()["query"][0].pid)
    cpu, begun = _cpu(process), time.monotonic()
    written = await _write(commands, carts, sku)
    took = time.monotonic() - begun
    await asyncio.sleep(1.0)
    cpu = _cpu(process) - cpu
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    late = sorted((seen[position] - at) * 1e3 for position, at in written.items() if position in seen)
    if not late:
        raise SystemExit("no change was seen")
    print(f"{CLIENTS:,} clients; {len(written) / took:,.0f} changes/s for {took:.1f} s")
    print(f"seen {len(late):,} of {len(written):,} (a cart that changed twice in 0.1 s is shown once)")
    p99 = late[int(len(late) * 0.99)]
    print(
        f"after the command's response: p50 {statistics.median(late):.0f} ms, p99 {p99:.0f}"
        f" ms, at most {late[-1]:.0f} ms   to reach p99 500 ms"
    )
    print(f"query process: {cpu / took * 100:.0f} % of a core, {process.memory_info().rss / 2**20:.0f} MiB")


async def _watch(host: str, port: int, cart: str, seen: dict[int, float], ready: asyncio.Semaphore) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /api/v1/carts/{cart}/live HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    is_first = True
    async for line in reader:
        if line.startswith(b"HTTP/1.1") and b" 200 " not in line:
            raise SystemExit(f"a stream was refused: {line!r}")
        if line.startswith(b"id: "):
            seen[int(line[4:])] = time.monotonic()
            if is_first:
                is_first = False
                ready.release()


async def _write(commands: str, carts: list[str], sku: str) -> dict[int, float]:
    written: dict[int, float] = {}
    begun = time.monotonic()
    count = int(SECONDS * CHANGES_A_SECOND)
    body = json.dumps({"sku": sku, "quantity": 1}).encode()
    turns = iter(range(count))

    async def write(client: httpx.AsyncClient) -> None:
        for turn in turns:
            due = begun + turn / CHANGES_A_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            cart = carts[turn * 7 % len(carts)]
            response = await client.post(
                f"/api/v1/carts/{cart}/items", content=body, headers={"Content-Type": "application/json"}
            )
            if not response.is_success:
                raise SystemExit(f"a change was refused: {response.text}")
            written[response.json()["position"]] = time.monotonic()

    async with httpx.AsyncClient(base_url=commands, timeout=30.0) as client:
        await asyncio.gather(*(write(client) for _ in range(WRITERS)))
    return written


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
