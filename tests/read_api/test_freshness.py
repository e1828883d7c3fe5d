"""Reading what one has just written, and when the stores are away."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from threading import Timer

import httpx
import pytest
from redis import Redis

from projections.documents.stops import Stop
from projections.redis.stops import RedisStops
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.facts import placed, received
from tests.shop.views import ViewShop

ROUTES = [
    ("product", "/api/v1/products/MUG"),
    ("inventory", "/api/v1/inventory/MUG"),
    ("inventory", "/api/v1/inventory?low=true"),
    ("order", "/api/v1/orders/o1"),
    ("explanation", "/api/v1/orders/o1/explanation"),
    ("customer_orders", "/api/v1/customers/anna/orders"),
    ("order", "/api/v1/customers/anna/orders"),
    ("bestsellers", "/api/v1/bestsellers"),
    ("product", "/api/v1/bestsellers"),
    ("bestseller_days", "/api/v1/bestsellers?window=week"),
    ("product", "/api/v1/bestsellers?window=week"),
    ("also_bought", "/api/v1/products/MUG/also-bought"),
    ("product", "/api/v1/products/MUG/also-bought"),
    ("conversion", "/api/v1/dashboards/conversion"),
    ("recent", "/api/v1/visits/v/recent"),
    ("product", "/api/v1/visits/v/recent"),
    ("customer_value", "/api/v1/customers/anna/value"),
    ("sales", "/api/v1/dashboards/sales"),
    ("sales_hours", "/api/v1/dashboards/hours"),
    ("search", "/api/v1/products"),
    ("search", "/api/v1/search?q=mug"),
    ("search", "/api/v1/suggest?q=mu"),
]


@pytest.fixture
def stocked(shop: ViewShop) -> ViewShop:
    shop.lists("MUG")
    shop.happens(placed("o1", "MUG", customer_id="anna"))
    return shop


@pytest.mark.parametrize(("view", "path"), ROUTES)
def test_a_view_that_is_behind_is_waited_for_and_then_told(
    stocked: ViewShop, api: httpx.Client, view: str, path: str
) -> None:
    position = stocked.happens(received("MUG", 1), but_not_in=(view,))
    begun = time.monotonic()
    late = api.get(path, headers={"Daybook-Min-Position": str(position)})
    assert time.monotonic() - begun >= 0.15
    assert (late.status_code, late.headers["Daybook-View-Position"]) == (200, str(position - 1))
    strict = {"Daybook-Min-Position": str(position), "Prefer": "respond-async, handling=strict"}
    refused = api.get(path, headers=strict)
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/view-behind")
    assert refused.json()["view_position"] == position - 1
    assert refused.headers["Daybook-View-Position"] == str(position - 1)


@pytest.mark.parametrize("path", dict.fromkeys(path for _, path in ROUTES))
def test_a_view_that_arrives_while_one_waits_is_answered_from(
    stocked: ViewShop, query_settings: QuerySettings, path: str
) -> None:
    position = stocked.position + 2

    def later() -> None:
        stocked.happens(received("MUG", 1), received("MUG", 1))

    patient = query_settings.model_copy(update={"min_position_wait_seconds": 10.0})
    timer = Timer(0.05, later)
    headers = {"Daybook-Min-Position": str(position), "Prefer": "handling=strict"}
    with running(build_query_app(patient, ready_position=lambda: 0)) as address:
        timer.start()
        answer = httpx.get(f"{address}{path}", headers=headers, timeout=20)
    timer.join()
    assert (answer.status_code, answer.headers["Daybook-View-Position"]) == (200, str(position))


def test_what_was_written_is_read(stocked: ViewShop, api: httpx.Client) -> None:
    position = stocked.happens(received("MUG", 4))
    answer = api.get("/api/v1/products/MUG", headers={"Daybook-Min-Position": str(position)})
    assert answer.json()["available"] == 9


@pytest.mark.parametrize("path", ["/api/v1/products/MUG", "/api/v1/products"])
@pytest.mark.parametrize("position", ["-1", "x", "1.5", "", "9" * 20, "1,2"])
def test_what_is_no_position_is_refused(
    stocked: ViewShop, api: httpx.Client, path: str, position: str
) -> None:
    answer = api.get(path, headers={"Daybook-Min-Position": position})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-min-position")


def test_before_the_first_publication_no_view_is_ready(shop: ViewShop, api: httpx.Client) -> None:
    for path in ("/api/v1/products/MUG", "/api/v1/products", "/api/v1/bestsellers"):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/view-not-ready")
        assert answer.headers["Retry-After"] == "1"


def test_an_emptied_store_is_not_ready_until_it_is_built_again(
    stocked: ViewShop, api: httpx.Client, fresh_redis: str
) -> None:
    before = api.get("/api/v1/products/MUG")
    with Redis.from_url(fresh_redis) as redis:
        redis.flushall()
    for _ in range(2):
        assert api.get("/api/v1/products/MUG").json()["type"] == "/problems/view-not-ready"
    stocked.notices_losses()
    again = api.get("/api/v1/products/MUG")
    assert (again.content, again.headers["ETag"]) == (before.content, before.headers["ETag"])


def test_a_deleted_index_is_not_ready_until_it_is_built_again(
    stocked: ViewShop, api: httpx.Client, tmp_path: Path
) -> None:
    before = api.get("/api/v1/products")
    shutil.rmtree(tmp_path / "index")
    for _ in range(2):
        assert api.get("/api/v1/products").json()["type"] == "/problems/view-not-ready"
    stocked.notices_losses()
    assert api.get("/api/v1/products").content == before.content


def test_without_redis_documents_are_away_and_the_index_answers(stocked: ViewShop, tmp_path: Path) -> None:
    settings = QuerySettings(redis_url=f"unix://{tmp_path}/none", data_dir=tmp_path, access_log=False)
    app = build_query_app(settings, ready_position=lambda: 0)
    with running(app) as address, httpx.Client(base_url=address) as client:
        away = client.get("/api/v1/products/MUG")
        assert (away.status_code, away.json()["type"]) == (503, "/problems/store-unavailable")
        assert away.headers["Retry-After"] == "1"
        assert client.get("/api/v1/search?q=mug").json()["total"] == 1
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200


def test_ready_means_every_view_has_reached_the_head_of_the_start(
    stocked: ViewShop, api: httpx.Client
) -> None:
    assert api.get("/health/ready").json()["type"] == "/problems/not-ready"
    stocked.head_at_start = stocked.position + 1
    stocked.happens(received("MUG", 1), but_not_in=("sales",))
    waiting = api.get("/health/ready")
    assert (waiting.status_code, waiting.json()["behind"]) == (503, {"sales": 3})
    stocked.happens(received("MUG", 1))
    assert api.get("/health/ready").status_code == 200


def test_a_view_that_has_stopped_holds_up_no_other(
    stocked: ViewShop, api: httpx.Client, query_settings: QuerySettings
) -> None:
    stocked.head_at_start = stocked.position + 1
    stocked.happens(received("MUG", 1), but_not_in=("sales",))
    stops = RedisStops(query_settings.redis_url)
    stops.show(Stop("sales", 1, 3, "inventory.stock_received", "KeyError: 'color'"))
    stops.show(Stop("product", 2, 3, "inventory.stock_received", "a version that nobody reads"))
    degraded = api.get("/health/ready")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["stopped"] == {"sales": 3}
    assert api.get("/api/v1/products/MUG").status_code == 200
    stops.show(Stop("sales", 1, 2, "inventory.stock_received", "of another time"))
    assert api.get("/health/ready").status_code == 503
    stops.take_off(("sales", 1))
    assert api.get("/health/ready").status_code == 503
    stops.close()


@pytest.mark.parametrize("path", ["/api/v1/bestsellers", "/api/v1/customers/c-1/orders"])
@pytest.mark.parametrize(
    ("prefer", "seconds"), [("", 7.0), ("handling=strict, wait=3", 3), ('Wait = "3"', 3), ("wait=60", 7.0)]
)
def test_two_views_are_waited_for_at_the_same_time_and_no_longer_than_asked(
    shop: ViewShop, query_settings: QuerySettings, path: str, prefer: str, seconds: float
) -> None:
    shop.lists("MUG")
    settings = query_settings.model_copy(update={"min_position_wait_seconds": 7.0})
    app = build_query_app(settings, ready_position=lambda: 0)
    limits: list[float] = []
    both = asyncio.Event()

    async def wait_for(view: str, key: str | None, position: int, seconds: float) -> int:
        limits.append(seconds)
        if len(limits) == 2:
            both.set()
        async with asyncio.timeout(5):  # for ever, where the other is waited for afterwards
            await both.wait()
        return 0

    app.state.stores.documents.wait_for = wait_for
    with running(app) as address:
        headers = {"Daybook-Min-Position": "99", "Prefer": prefer}
        answer = httpx.get(f"{address}{path}", headers=headers, timeout=20)
    assert answer.status_code == (412 if "strict" in prefer else 200)
    assert limits == [seconds, seconds]
