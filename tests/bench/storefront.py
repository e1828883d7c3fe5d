"""The storefront's two quick routes on a whole running system, beside bare FastAPI routes on uvicorn.

Both are loaded by `oha` from a process of its own, in turn, several rounds of each; every figure is the
median of its rounds. A server's CPU is its process's own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.bench.bare import bare_server
from tests.bench.figure import draw
from tests.bench.load import Responses, put_load
from tests.system.running import RunningSystem, started

CONNECTIONS = 32
CARTS = 200
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = 4.0
PAGE, BARE_PAGE, ADD, BARE_ADD = "product page", "bare GET", "add to cart", "bare POST"
OPEN_LOOP = (0.25, 0.5, 0.75)  # of the rate that the closed loop reached
PLOT = Path("docs/figures/storefront.svg")


@dataclass
class Route:
    """A route under load: its URLs, its bodies where it is a POST, who serves it, and what was measured."""

    urls: Sequence[str]
    bodies: Sequence[str]
    pids: Sequence[int]
    closed: list[Responses] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # microseconds a response
    open: dict[float, Responses] = field(default_factory=dict)  # by the part of the closed loop's rate

    def load(self, *, seconds: float = SECONDS, part: float | None = None) -> None:
        """One round of the closed loop, or of arrivals at a part of its rate. Every response is a success."""
        arrivals = None if part is None else part * self.median("rate")
        before = self._cpu_seconds()
        responses = put_load(
            self.urls, bodies=self.bodies, connections=CONNECTIONS, seconds=seconds, arrivals=arrivals
        )
        if any(not status.startswith("2") for status in responses.statuses):
            raise SystemExit(f"not every response was a success: {responses.statuses}")
        if part is None:
            self.closed.append(responses)
            self.cpu.append((self._cpu_seconds() - before) / responses.number * 1e6)
        else:
            self.open[part] = responses

    def median(self, figure: str) -> float:
        """Of `Responses`, over the rounds of the closed loop."""
        return statistics.median(getattr(responses, figure) for responses in self.closed)

    def _cpu_seconds(self) -> float:
        times = [psutil.Process(pid).cpu_times() for pid in self.pids]
        return sum(one.user + one.system for one in times)


def main() -> None:
    """Prints the tables and draws the plot."""
    begun = time.perf_counter()
    with started("--demo", "sample") as system:
        print(f"ready with the sample shop after {time.perf_counter() - begun:.1f} s")
        print(f"the query process, started again: {_restarted(system):.1f} s to its first product page")
        query = system.addresses["read"]
        skus = [one["sku"] for one in httpx.get(f"{query}/api/v1/products?limit=200").json()["items"]]
        size = len(httpx.get(f"{query}/api/v1/products/{skus[0]}").content)
        with bare_server(size) as (bare, bare_pid):
            routes = routes_of(system, skus)
            routes[BARE_PAGE] = Route([f"{bare}/page"], (), [bare_pid])
            routes[BARE_ADD] = Route([f"{bare}/items"], routes[ADD].bodies, [bare_pid])
            for route in routes.values():
                route.load(seconds=1.0)
                route.closed, route.cpu = [], []
            for _ in range(ROUNDS):
                for route in routes.values():
                    route.load()
            for part in OPEN_LOOP:
                for route in routes.values():
                    route.load(part=part)
        _print(routes)
        _print_memory(system)
        print(f"read your write, under adding to carts: {_freshness(system, routes[ADD], skus[0])}")
        print(_rebuild(system))


def routes_of(system: RunningSystem, skus: list[str]) -> dict[str, Route]:
    """Our quick routes, with what they are asked for."""
    commands, query = system.addresses["commands"], system.addresses["read"]
    pids = {name: [one.pid for one in found] for name, found in system.children().items()}
    with httpx.Client() as client:
        opened = [client.post(f"{commands}/api/v1/carts", json={"currency": "GBP"}) for _ in range(CARTS)]
    items = [f"{commands}/api/v1/carts/{one.json()['id']}/items" for one in opened]
    bodies = [json.dumps({"sku": sku, "quantity": 1}) for sku in skus[:10]]
    return {
        PAGE: Route([f"{query}/api/v1/products/{sku}" for sku in skus], (), pids["query"]),
        ADD: Route(items, bodies, pids["commands"]),
    }


def _print(routes: dict[str, Route]) -> None:
    print("\n| ratio | | to reach |\n| --- | ---: | ---: |")
    for ours, bare, target in ((PAGE, BARE_PAGE, 0.7), (ADD, BARE_ADD, 0.4), (ADD, BARE_PAGE, 0.25)):
        rates = routes[ours].median("rate") / routes[bare].median("rate")
        print(f"| {ours} / {bare}, responses a second | {rates:.2f} | {target} |")
    for ours, bare, target in ((PAGE, BARE_PAGE, 0.7), (ADD, BARE_ADD, 0.4)):
        cpu = statistics.median(routes[bare].cpu) / statistics.median(routes[ours].cpu)
        print(f"| {ours} / {bare}, responses by second of the server's CPU | {cpu:.2f} | {target} |")
    for name, route in routes.items():
        spread = route.median("p99") / route.median("p50")
        print(f"| {name}, p99 / p50 | {spread:.1f} | {'at most 3' if name == PAGE else ''} |")
    print(f"\n| {CONNECTIONS} connections | responses/s | p50 ms | p99 ms | p99.9 ms | CPU µs |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, route in routes.items():
        p50, p99, p999 = (route.median(figure) for figure in ("p50", "p99", "p999"))
        cpu = statistics.median(route.cpu)
        print(f"| {name} | {route.median('rate'):,.0f} | {p50:.2f} | {p99:.2f} | {p999:.2f} | {cpu:.0f} |")
    print("\n| open loop | arrivals/s | p50 ms | p99 ms | p99.9 ms |\n| --- | ---: | ---: | ---: | ---: |")
    for name, route in routes.items():
        for part, one in route.open.items():
            arrivals = part * route.median("rate")
            print(
                f"| {name}, {part:.0%} | {arrivals:,.0f} | {one.p50:.2f} | {one.p99:.2f} | {one.p999:.2f} |"
            )
    lines = {
        f"{name}, {figure}": [(part * 100, getattr(one, figure)) for part, one in route.open.items()]
        for name, route in routes.items()
        for figure in ("p50", "p99")
    }
    across = "arrivals, in percent of the closed loop's rate"
    draw(PLOT, "Latency of the quick routes, open loop", across, "milliseconds", lines)
    print(f"\nplot: {PLOT}")


def _print_memory(system: RunningSystem) -> None:
    """After all that load; PSS is RSS with what several processes share divided among them."""
    print("\n| process | RSS MiB | PSS MiB |\n| --- | ---: | ---: |")
    for name, found in {**system.children(), "supervisor": [psutil.Process(system.process.pid)]}.items():
        every = [*found, *(child for one in found for child in one.children(recursive=True))]
        memory = [one.memory_full_info() for one in (found if name == "supervisor" else every)]
        rss, pss = (sum(getattr(one, kind) for one in memory) / 2**20 for kind in ("rss", "pss"))
        print(f"| {name}{f' ({len(memory)} processes)' if len(memory) > 1 else ''} | {rss:.0f} | {pss:.0f} |")
    print()


def _restarted(system: RunningSystem) -> float:
    """Seconds from the end of the query process to the first response of the one that replaces it."""
    (process,) = system.children()["query"]
    products = f"{system.addresses['read']}/api/v1/products"
    begun = time.perf_counter()
    process.kill()
    process.wait()
    with httpx.Client() as client:
        while True:
            with suppress(httpx.TransportError):
                if client.get(products).status_code == httpx.codes.OK:
                    return time.perf_counter() - begun
            time.sleep(0.01)


def _freshness(system: RunningSystem, adding: Route, sku: str) -> str:
    """How soon a reader sees what it wrote, while the carts fill."""
    commands, query = system.addresses["commands"], system.addresses["read"]
    took: list[float] = []
    with ThreadPoolExecutor(1) as beside, httpx.Client() as client:
        cart = client.post(f"{commands}/api/v1/carts", json={"currency": "GBP"}).json()["id"]
        load = beside.submit(adding.load)
        while not load.done():
            quantity = len(took) % 900 + 1
            wrote = client.put(f"{commands}/api/v1/carts/{cart}/items/{sku}", json={"quantity": quantity})
            sent = time.perf_counter()
            position = {"Daybook-Min-Position": wrote.headers["daybook-position"]}
            client.get(f"{query}/api/v1/carts/{cart}", headers=position).raise_for_status()
            took.append((time.perf_counter() - sent) * 1000)
            time.sleep(0.02)
    p99 = statistics.quantiles(took, n=100)[98]
    return f"p50 {statistics.median(took):.1f} ms, p99 {p99:.1f} ms, {len(took)} times"


def _rebuild(system: RunningSystem) -> str:
    """Rebuilds every view and says how long it took."""
    begun = time.perf_counter()
    daybook = [sys.executable, "-m", "daybook", "projections", "rebuild", "all", "--data", str(system.data)]
    subprocess.run(daybook, check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    ready = httpx.get(f"{system.addresses['commands']}/health/ready").json()
    events = int(ready["position"])
    return f"rebuild of all views: {events:,} events in {seconds:.1f} s, {events / seconds:,.0f} events/s"
