"""A client that reads with the position of its own command never sees its own past."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from deploy.local.servers.elasticsearch_programs import ElasticsearchPrograms
from projections.operate import run_action
from tests.bench.bare import free_port
from tests.conftest import ServerPlace
from tests.redis_cluster.cluster import cluster_in
from tests.system.running import RunningSystem, started
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.timeout(1_800)

CLIENTS = 4
WRITES = 10_000
PATIENT = {"DAYBOOK_MIN_POSITION_WAIT_SECONDS": "60"}
"""So that it is the view, and not the machine, that a read may come too early for."""


def test_ten_thousand_writes_are_read_at_once() -> None:
    with started("--demo", "sample", environment=PATIENT) as system:
        _write_and_read(system, [system.addresses["read"]])


def test_they_are_by_two_query_processes_while_two_projectors_rebuild_and_roll_back() -> None:
    with (
        started("--demo", "sample", "--commands", "2", "--projectors", "2", environment=PATIENT) as system,
        _query_process(system) as another,
    ):
        ended = threading.Event()
        with ThreadPoolExecutor(1) as beside:
            turns = beside.submit(_rebuild_and_roll_back, system, ended)
            try:
                _write_and_read(system, [system.addresses["read"], another])
            finally:
                ended.set()
            assert turns.result() > 0


def test_they_are_on_a_redis_cluster(server_place: ServerPlace) -> None:
    cluster = cluster_in(server_place.folder / "proof", server_place.binaries.redis_server, replicas=False)
    with ExitStack() as place:
        place.callback(cluster.stop)
        cluster.start()
        environment = PATIENT | {"DAYBOOK_REDIS_URL": cluster.url}
        system = place.enter_context(started("--demo", "sample", environment=environment))
        _write_and_read(system, [system.addresses["read"]])


def test_they_are_with_search_on_elasticsearch(elasticsearch_programs: ElasticsearchPrograms) -> None:
    with started(
        "--demo", "sample", "--search", "elasticsearch", environment=PATIENT, seconds=2 * SECONDS_MAX
    ) as system:
        _write_and_read(system, [system.addresses["read"]])


def _write_and_read(system: RunningSystem, queries: Sequence[str]) -> None:
    """Each client in turn strict and patient, of its cart; now and then of the product as searched for."""
    commands = system.addresses["commands"]
    sku = httpx.get(f"{queries[0]}/api/v1/products?limit=1").json()["items"][0]["sku"]

    def write_and_read(client: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        with httpx.Client(timeout=2 * SECONDS_MAX) as http:
            opened = http.post(f"{commands}/api/v1/carts", json={"currency": "GBP"}).json()
            item = f"{commands}/api/v1/carts/{opened['id']}/items/{sku}"
            for turn in range(WRITES // CLIENTS):
                quantity = turn % 900 + 1
                query = queries[turn % len(queries)]
                wrote = http.put(item, json={"quantity": quantity})
                assert wrote.is_success, wrote.text
                position = int(wrote.headers["daybook-position"])
                headers = {"Daybook-Min-Position": str(position)}
                is_strict = turn // len(queries) % 2 == 1
                if is_strict:
                    headers["Prefer"] = "handling=strict"
                read = http.get(f"{query}/api/v1/carts/{opened['id']}", headers=headers)
                if is_strict and read.status_code == 412:
                    seen["refused"] += 1
                    continue
                assert read.status_code == 200, read.text
                assert int(read.headers["daybook-view-position"]) >= position
                assert read.json()["lines"][0]["quantity"] == quantity
                seen["read"] += 1
                if turn % 100 == client:
                    found = http.get(f"{query}/api/v1/search?q={sku}", headers=headers)
                    if is_strict and found.status_code == 412:
                        seen["search refused"] += 1
                        continue
                    assert found.status_code == 200, found.text
                    assert int(found.headers["daybook-view-position"]) >= position
                    seen["found"] += 1
        return seen

    with ThreadPoolExecutor(CLIENTS) as clients:
        seen = sum(clients.map(write_and_read, range(CLIENTS)), Counter[str]())
    print(seen)
    assert seen["read"] > 0.99 * WRITES
    assert seen["found"] > 0


def _rebuild_and_roll_back(system: RunningSystem, ended: threading.Event) -> int:
    """Again and again; how often."""
    turns = 0
    while not ended.is_set():
        for action in ("rebuild", "rollback"):
            done = run_action(
                action,
                ["cart", "search"],
                postgres_url=system.addresses["postgres"],
                redis_url=system.addresses["redis"],
                data_dir=system.data,
                report=lambda _: None,
            )
            assert {one.state for one in done} == {"done"}, done
        turns += 1
    return turns


@contextmanager
def _query_process(system: RunningSystem) -> Iterator[str]:
    """Another of the same system; its address."""
    port = free_port()
    environment = PATIENT | {
        "DAYBOOK_POSTGRES_URL": system.addresses["postgres"],
        "DAYBOOK_REDIS_URL": system.addresses["redis"],
        "DAYBOOK_DATA_DIR": str(system.data),
        "DAYBOOK_READ_PORT": str(port),
    }
    words = [sys.executable, "-P", "-m", "daybook", "serve", "query"]
    process = subprocess.Popen(words, env=os.environ | environment)
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{address}/health/ready").is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(ready)
        yield address
    finally:
        process.terminate()
        process.wait()
