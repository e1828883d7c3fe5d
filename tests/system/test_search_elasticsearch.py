"""`daybook up --search elasticsearch`: the same shop, and its search index on a real server of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import psutil
import pytest

from deploy.local.servers.elasticsearch_programs import ElasticsearchPrograms
from tests.system.running import RunningSystem, daybook, started, tried
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

JVM_SECONDS_MAX = 5 * SECONDS_MAX  # A JVM starts.


@pytest.fixture(scope="module")
def system(elasticsearch_programs: ElasticsearchPrograms) -> Iterator[RunningSystem]:
    with started("--demo", "sample", "--search", "elasticsearch", seconds=JVM_SECONDS_MAX) as system:
        yield system


@pytest.fixture(scope="module")
def read(system: RunningSystem) -> Iterator[httpx.Client]:
    """The query side."""
    with httpx.Client(base_url=f"{system.addresses['read']}/api/v1", timeout=SECONDS_MAX) as client:
        yield client


def listed(system: RunningSystem, sku: str, title: str) -> str:
    """A product goes on sale; the position of that."""
    product = {"sku": sku, "title": title, "description": "", "category": "Kitchen", "attributes": {}}
    response = httpx.post(
        f"{system.addresses['commands']}/api/v1/products",
        json=product | {"price": {"amount": 1299, "currency": "GBP"}},
        headers={"Idempotency-Key": f"list-{sku}-once-only"},
        timeout=SECONDS_MAX,
    )
    assert response.status_code == 201, response.text
    return str(response.headers["Daybook-Position"])


def found(read: httpx.Client, words: str, position: str) -> list[str]:
    headers = {"Daybook-Min-Position": position, "Prefer": "handling=strict"}
    response = read.get("/search", params={"q": words}, headers=headers)
    return [item["sku"] for item in response.json()["items"]] if response.status_code == 200 else []


def test_what_is_listed_is_found_there_and_can_be_bought(system: RunningSystem, read: httpx.Client) -> None:
    assert not (system.data / "index").exists()
    position = listed(system, "HX-204", "Hammered samovar")
    wait_until(lambda: found(read, "hx204", position) == ["HX-204"])
    assert found(read, "samovr", position) == ["HX-204"]
    assert tried(system)


def test_projections_shows_and_rebuilds_it_there(system: RunningSystem) -> None:
    where = ("--data", str(system.data))
    before = status(system)
    assert before["version"]
    done = daybook("projections", "rebuild", "search", *where)
    assert done.returncode == 0, done.stderr
    assert "0 differ from the version before" in done.stdout
    assert status(system)["version"] > before["version"]


def status(system: RunningSystem) -> dict[str, int]:
    done = daybook("projections", "status", "--json", "--data", str(system.data))
    assert done.returncode == 0, done.stderr
    (search,) = (view for view in json.loads(done.stdout) if view["view"] == "search")
    return dict(search)


def test_while_the_server_is_away_only_search_is_and_it_comes_back(
    system: RunningSystem, read: httpx.Client
) -> None:
    servers = [child for child in system.family() if child.name() == "java"]
    assert servers
    for server in servers:
        server.kill()
    psutil.wait_procs(servers, timeout=SECONDS_MAX)
    away = read.get("/search", params={"q": "mug"})
    assert (away.status_code, away.json()["type"]) == (503, "/problems/store-unavailable")
    assert away.headers["Retry-After"]
    position = listed(system, "HX-205", "Copper samovar")
    wait_until(lambda: read.get("/products/HX-205").status_code == 200)
    wait_until(lambda: found(read, "copper samovar", position) == ["HX-205"], seconds=JVM_SECONDS_MAX)
