"""How soon readers see what was appended, while 2,000 events a second are.

A process of its own appends a shop's life (carts, orders, payments, stock) at a steady rate. From the
moment at which an append was answered it is measured when each view's checkpoint had passed it (read every
2 ms), when a GET of the very cart that it changed showed it, and when a search did. Beside it what the
processes took, and what a message through PostgreSQL and a write to Redis take alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import httpx
import psutil
import psycopg
from redis import Redis

from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry
from projections.documents.keys import ViewKeys, pointer_in, pointer_key, position_in
from projections.views.registry import VIEWS
from tests.bench.bare import free_port
from tests.bench.engines import ENGINES, engine_place, own_redis
from tests.bench.server import own_postgres
from tests.shop.log import Shop

RATE = int(os.environ.get("BENCH_RATE", "2000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
PRODUCTS = 300
EVENTS_PER_ORDER = 8  # or more
WARM_SECONDS = 3.0
"""What is appended at first does not count: processes have yet to read what they need."""
PROJECTORS = int(os.environ.get("BENCH_PROJECTORS", "1"))
TURN_SECONDS = 0.01
POLL_SECONDS = 0.002
LOOK_SECONDS = 0.05
WAIT_SECONDS_MAX = 300.0


class Append(NamedTuple):
    """One that was answered, at so many monotonic seconds."""

    position: int
    at: float
    cart: str | None  # that it changed


def main() -> None:
    """Prints the figures for each engine of the search index."""
    for engine in ENGINES:
        print(f"search: {engine}; {RATE:,} events/s, {PROJECTORS} projectors", flush=True)
        with own_postgres() as server, own_redis() as redis_url, engine_place(engine) as place:
            PostgresLog.open(server.url).close()
            address = {
                "DAYBOOK_POSTGRES_URL": server.url,
                "DAYBOOK_REDIS_URL": redis_url,
                "DAYBOOK_DATA_DIR": str(place.folder),
                "DAYBOOK_READ_PORT": str(free_port()),
            }
            if place.elasticsearch_url is not None:
                address["DAYBOOK_ELASTICSEARCH_URL"] = place.elasticsearch_url
            if PROJECTORS > 1:
                address["DAYBOOK_PROJECTOR_SHARDS"] = "16"
            with _serving(["projector"] * PROJECTORS + ["query"], address) as served:
                _measure(server.url, redis_url, f"http://127.0.0.1:{address['DAYBOOK_READ_PORT']}", served)
            _ceilings(server.url, redis_url)


def _measure(url: str, redis_url: str, query: str, served: Sequence[psutil.Process]) -> None:
    appended: list[Append] = []
    with Redis.from_url(redis_url) as redis, httpx.Client(base_url=query, timeout=WAIT_SECONDS_MAX) as client:
        polls = _Polls(redis, _view_keys(redis))
        _until(lambda: client.get("/health/ready").status_code == 200)
        with _writer(url) as lines:
            next(lines)  # It is ready, and begins.
            begun = time.monotonic() + WARM_SECONDS
            over = threading.Event()
            looks: dict[str, list[float]] = {"GET of the cart": [], "search": []}
            threads = [
                threading.Thread(target=polls.run, args=(over,)),
                threading.Thread(
                    target=_look,
                    args=(over, appended, begun, query, "/api/v1/carts/{}", looks["GET of the cart"]),
                ),
                threading.Thread(
                    target=_look,
                    args=(over, appended, begun, query, "/api/v1/search?q=tea&limit=1", looks["search"]),
                ),
            ]
            for thread in threads:
                thread.start()
            used: list[float] = []
            for line in lines:
                one = Append(*json.loads(line))
                if not used and one.at >= begun:
                    used, first = [_cpu(process) for process in served], one.position
                appended.append(one)
        last = appended[-1].position
        _until(lambda: polls.least() >= last)
        used = [_cpu(process) - before for process, before in zip(served, used, strict=True)]
        over.set()
        for thread in threads:
            thread.join()
    counted = [one for one in appended if one.at >= begun]
    seconds = counted[-1].at - counted[0].at
    print(f"{last - first:,} events in {seconds:.1f} s: {(last - first) / seconds:,.0f} a second")
    print("| seen after | p50 ms | p99 ms | most ms | to reach p99 |\n| --- | ---: | ---: | ---: | ---: |")
    for view in ("cart", "order", "product", "sales"):
        print(_row(f"position of the view {view}", polls.after(counted, view), "100"))
    print(_row("position of every view in Redis", polls.after(counted, None), "100"))
    for name, found in looks.items():
        print(_row(f"{name}, {len(found)} times", found, "1,500" if name == "search" else "100"))
    for process, name, cpu in zip(served, ["projector"] * PROJECTORS + ["query"], used, strict=True):
        memory = process.memory_info().rss / 2**20
        print(f"{name}: {cpu / (last - first) * 1e6:,.0f} µs of CPU per event, {memory:.0f} MiB")


class _Polls:
    """Where every view's checkpoints stood, looked at all the time."""

    def __init__(self, redis: Redis, keys: Sequence[ViewKeys]) -> None:
        self._redis = redis
        self._views = [one.view for one in keys for _ in range(one.shards)]
        self._places = [one.checkpoint(shard) for one in keys for shard in range(one.shards)]
        self._seen: list[tuple[float, list[int]]] = []

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            self.look()
            time.sleep(POLL_SECONDS)

    def look(self) -> list[int]:
        raw: Any = self._redis.mget(self._places)
        found = [position_in(one) or 0 for one in raw]
        self._seen.append((time.monotonic(), found))
        return found

    def least(self) -> int:
        return min(self._seen[-1][1], default=0) if self._seen else 0

    def after(self, appended: Sequence[Append], view: str | None) -> list[float]:
        """Seconds from each append until the view (None: every view) had taken it in."""
        places = [place for place, name in enumerate(self._views) if view in (None, name)]
        least = [min(found[place] for place in places) for _, found in self._seen]
        return [self._seen[bisect_left(least, one.position)][0] - one.at for one in appended]


def _look(
    over: threading.Event, appended: list[Append], begun: float, query: str, path: str, found: list[float]
) -> None:
    """Again and again, has the newest append shown by a GET; notes the seconds from the append."""
    with httpx.Client(base_url=query, timeout=WAIT_SECONDS_MAX) as client:
        while not over.wait(LOOK_SECONDS):
            one = next((one for one in reversed(appended[-20:]) if one.cart is not None), None)
            if one is None or one.at < begun:
                continue
            position = 0
            while position < one.position:  # It answers from the past after some seconds.
                response = client.get(
                    path.format(one.cart), headers={"Daybook-Min-Position": str(one.position)}
                )
                if response.status_code == 404:
                    continue
                response.raise_for_status()
                position = int(response.headers["Daybook-View-Position"])
            found.append(time.monotonic() - one.at)


def _ceilings(url: str, redis_url: str) -> None:
    """One message through PostgreSQL, and one write to Redis, alone."""
    with (
        psycopg.connect(url, autocommit=True) as sender,
        psycopg.connect(url, autocommit=True) as receiver,
    ):
        receiver.execute("LISTEN bench")
        took = []
        for _ in range(300):
            begun = time.perf_counter()
            sender.execute("NOTIFY bench")
            next(receiver.notifies(stop_after=1))
            took.append(time.perf_counter() - begun)
    print(_row("LISTEN and NOTIFY alone", took, ""))
    with Redis.from_url(redis_url) as redis:
        took = []
        for number in range(1_000):
            begun = time.perf_counter()
            redis.hset("bench", "field", number)
            took.append(time.perf_counter() - begun)
        redis.delete("bench")
    print(_row("HSET alone", took, ""), flush=True)


def _row(name: str, seconds: Sequence[float], goal: str) -> str:
    found = sorted(one * 1e3 for one in seconds)
    if not found:
        return f"| {name} | never seen | | | {goal} |"
    p99 = found[int(len(found) * 0.99)]
    return f"| {name} | {statistics.median(found):.1f} | {p99:.1f} | {found[-1]:.1f} | {goal} |"


def _view_keys(redis: Redis) -> list[ViewKeys]:
    """Of every view, once all are there."""
    found: list[ViewKeys] = []

    def are_there() -> bool:
        pointers = [(view.name, pointer_in(redis.get(pointer_key(view.name)))) for view in VIEWS]  # type: ignore[arg-type]
        found[:] = [ViewKeys(name, one.version, one.shards) for name, one in pointers if one is not None]
        return len(found) == len(VIEWS)

    _until(are_there)
    return found


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass  # Not started yet.
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {WAIT_SECONDS_MAX} s")
        time.sleep(0.05)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def _serving(names: Sequence[str], address: dict[str, str]) -> Iterator[list[psutil.Process]]:
    """The processes of these names, meanwhile."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "daybook", "serve", name],
            env=environment | address,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in names
    ]
    try:
        yield [psutil.Process(one.pid) for one in started]
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait()


@contextmanager
def _writer(url: str) -> Iterator[Iterator[str]]:
    """Lines of a process that appends: an empty one once it begins, then one for each append."""
    words = [sys.executable, "-m", "tests.bench.visible", url, str(RATE), str(SECONDS + WARM_SECONDS)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        process.kill()
        process.wait()


def write(url: str, rate: int, seconds: float) -> None:
    """Appends so many events a second; prints each append."""
    with closing(PostgresLog.open(url)) as log:
        entries = _life(log, int(rate * seconds))
        print(flush=True)
        begun, sent = time.monotonic(), 0
        while entries:
            due = int((time.monotonic() - begun) * rate) - sent
            if due <= 0:
                time.sleep(TURN_SECONDS)
                continue
            some, count = [], 0
            while entries and count < due:
                some.append(entries.pop())
                count += len(some[-1].events)
            outcomes = log.append(some)
            at = time.monotonic()
            last = outcomes[-1]
            assert isinstance(last, Appended), last
            sent += count
            carts = [event.stream[5:] for one in some for event in one.events if event.stream[:5] == "cart-"]
            print(json.dumps([last.last_position, at, carts[-1] if carts else None]), flush=True)


def _life(log: PostgresLog, events: int) -> list[Entry]:
    """A shop's commands, of so many events or some more, the last one first."""
    shop = Shop(log)
    shop.bustle(orders=events // EVENTS_PER_ORDER, products=PRODUCTS)
    return shop.take()[::-1]


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
