"""A store that is away: what can be is shown as it was, the rest refused at once, and all of it recovers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis import Redis
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploy.edge.circuit_breaker import CircuitBreaker
from deploy.local.servers.redis import RedisServer
from projections.documents.errors import ReadStoreUnavailable
from projections.documents.redis_reader import RedisReader
from projections.documents.search import Page, Place, ProductQuery, Suggestions
from projections.documents.search_reader import SearchReader
from read_api.app import build_query_app
from read_api.guarded_search import SEARCHES_MAX, GuardedSearch
from read_api.settings import QuerySettings
from read_api.stale_answers import StaleAnswers
from tests.read_api.conftest import running
from tests.shop.facts import opened, received
from tests.shop.views import ViewShop
from tests.suspended import suspended
from tests.waiting import SECONDS_MAX, wait_until

PAGE = "/api/v1/products/MUG"


@pytest.fixture
def stale(shop: ViewShop, query_settings: QuerySettings) -> Iterator[httpx.Client]:
    """The API with answers kept for an hour, over a shop with a product and a cart."""
    shop.lists("MUG")
    shop.happens(opened("c1"))
    settings = query_settings.model_copy(update={"stale_seconds": 3_600})
    app = build_query_app(settings, ready_position=lambda: shop.head_at_start)
    with running(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def test_what_was_shown_is_shown_again_and_says_how_old_it_is(
    shop: ViewShop, stale: httpx.Client, fresh_redis: str
) -> None:
    fresh = stale.get(PAGE)
    assert "age" not in fresh.headers
    with Redis.from_url(fresh_redis) as redis:
        redis.flushall()
    time.sleep(0.25)  # for so long a reader trusts the pointer that it has read
    shown = stale.get(PAGE)
    assert (shown.status_code, shown.content) == (200, fresh.content)
    assert shown.headers["etag"] == fresh.headers["etag"]
    assert shown.headers["daybook-view-position"] == fresh.headers["daybook-view-position"]
    assert int(shown.headers["age"]) >= 0
    assert shown.headers["cache-status"].startswith("daybook; hit; ttl=-")
    shop.notices_losses()
    wait_until(lambda: "age" not in stale.get(PAGE).headers)
    assert stale.get(PAGE).content == fresh.content


def test_what_is_shown_again_bears_the_trace_of_the_request_that_it_answers(
    stale: httpx.Client, fresh_redis: str
) -> None:
    def traced(trace: str) -> httpx.Response:
        return stale.get(PAGE, headers={"Traceparent": f"00-{trace}-{'3' * 16}-01"})

    assert traced("1" * 32).headers.get_list("trace-id") == ["1" * 32]
    with Redis.from_url(fresh_redis) as redis:
        redis.flushall()
    wait_until(lambda: "age" in stale.get(PAGE).headers)
    shown = traced("2" * 32)
    assert (shown.status_code, shown.headers.get_list("trace-id")) == (200, ["2" * 32])


def test_what_a_client_still_has_is_as_old_as_the_answer_that_said_so() -> None:
    """Else a page that browsers and caches only ask after could not be shown an hour later."""
    now, status, position = 0, 200, 5

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"ETag": '"page"', "Cache-Control": "public", "Daybook-View-Position": str(position)}
        await Response(b"{}" if status == 200 else b"", status, headers)(scope, receive, send)

    answers = StaleAnswers(app, seconds_max=100, clock=lambda: now)

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(answers)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(PAGE)

    assert asyncio.run(get()).status_code == 200
    now, status, position = 90, 304, 8
    assert asyncio.run(get()).status_code == 304
    now, status = 150, 503
    shown = asyncio.run(get())
    assert (shown.status_code, shown.content, shown.headers["age"]) == (200, b"{}", "60")
    assert shown.headers["daybook-view-position"] == "8"
    now = 191
    assert asyncio.run(get()).status_code == 503


def test_what_was_never_shown_or_is_one_clients_is_refused(
    shop: ViewShop, stale: httpx.Client, fresh_redis: str
) -> None:
    assert stale.get("/api/v1/carts/c1").status_code == 200
    assert stale.get(PAGE).status_code == 200
    with Redis.from_url(fresh_redis) as redis:
        redis.flushall()
    time.sleep(0.25)
    for path in ("/api/v1/carts/c1", "/api/v1/bestsellers", "/api/v1/products/MUG?market=main"):
        refused = stale.get(path)
        assert refused.status_code == 503, path
        assert refused.headers["retry-after"] == "1"


def test_nobody_who_wants_a_position_is_shown_less(
    shop: ViewShop, stale: httpx.Client, fresh_redis: str
) -> None:
    seen = int(stale.get(PAGE).headers["daybook-view-position"])
    with Redis.from_url(fresh_redis) as redis:
        redis.flushall()
    time.sleep(0.25)
    assert stale.get(PAGE, headers={"Daybook-Min-Position": str(seen)}).status_code == 200
    assert stale.get(PAGE, headers={"Daybook-Min-Position": str(seen + 1)}).status_code == 503
    assert stale.get(PAGE, headers={"Daybook-Min-Position": "nonsense"}).status_code == 400


def test_a_server_that_hangs_is_waited_for_by_few(stale: httpx.Client, redis_server: RedisServer) -> None:
    fresh = stale.get(PAGE).content
    with suspended(redis_server.process.pid):
        with ThreadPoolExecutor(4) as several:  # These wait for as long as a read may take.
            for shown in several.map(stale.get, [PAGE, "/api/v1/carts/c1", PAGE, "/api/v1/inventory/MUG"]):
                assert shown.status_code == 503 or shown.content == fresh
        begun = time.monotonic()
        refused = [stale.get("/api/v1/carts/c1").status_code for _ in range(50)]
        assert set(refused) == {503}
        assert (
            time.monotonic() - begun < 50 * 2.0 / 2
        )  # Each by itself would have waited two seconds or more.
    wait_until(lambda: stale.get("/api/v1/carts/c1").status_code == 200)


def test_a_breaker_stays_closed_where_many_only_wait_for_a_connection(redis_server: RedisServer) -> None:
    async def crowd() -> bool:
        breaker = CircuitBreaker(failures_max=1, pause_seconds=60)
        reader = RedisReader(redis_server.url, timeout_seconds=SECONDS_MAX, breaker=breaker)
        await reader.ping()
        with suspended(redis_server.process.pid):
            pings = [asyncio.create_task(reader.ping()) for _ in range(20)]
            while sum(ping.done() for ping in pings) < 4:
                await asyncio.sleep(0.05)
        found = await asyncio.gather(*pings, return_exceptions=True)
        await reader.close()
        assert sum(isinstance(one, ReadStoreUnavailable) for one in found) == 4
        return breaker.lets_through()

    assert asyncio.run(crowd())


class _SlowIndex(SearchReader):
    """A search index that answers when it is let, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.is_away = False

    async def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        self.asked += 1
        await self.go.wait()
        if self.is_away:
            raise ReadStoreUnavailable("away")
        return Page([], 0, {}, None, 7, [], [], [], None)

    async def suggest(self, typed: str, *, limit: int) -> Suggestions:
        raise NotImplementedError

    async def position(self) -> int:
        return 7

    async def close(self) -> None:
        pass


def test_who_asks_the_same_shares_one_search() -> None:
    async def crowd() -> None:
        index = _SlowIndex()
        search = GuardedSearch(index, CircuitBreaker())
        same = [asyncio.create_task(search.search(ProductQuery(words="mug"), limit=10)) for _ in range(100)]
        other = asyncio.create_task(search.search(ProductQuery(words="cup"), limit=10))
        await asyncio.sleep(0)
        same[0].cancel()  # The others' search goes on.
        index.go.set()
        pages = await asyncio.gather(*same[1:], other)
        assert {page.position for page in pages} == {7}
        assert index.asked == 2
        await search.search(ProductQuery(words="mug"), limit=10)
        assert index.asked == 3

    asyncio.run(crowd())


def test_a_queue_of_searches_is_bounded_and_a_failing_index_left_alone() -> None:
    async def crowd() -> None:
        index = _SlowIndex()
        search = GuardedSearch(index, CircuitBreaker(failures_max=3, pause_seconds=60))
        waiting = [
            asyncio.create_task(search.search(ProductQuery(words=f"{number}"), limit=1))
            for number in range(SEARCHES_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(ReadStoreUnavailable):
            await search.search(ProductQuery(words="one more"), limit=1)
        index.is_away = True
        index.go.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        asked = index.asked
        with pytest.raises(ReadStoreUnavailable):
            await search.search(ProductQuery(words="later"), limit=1)
        assert index.asked == asked

    asyncio.run(crowd())


def test_an_answer_too_old_is_not_shown(
    shop: ViewShop, query_settings: QuerySettings, fresh_redis: str
) -> None:
    shop.lists("MUG")
    shop.happens(received("MUG", 1))
    settings = query_settings.model_copy(update={"stale_seconds": 1})
    app = build_query_app(settings, ready_position=lambda: shop.head_at_start)
    with running(app) as address, httpx.Client(base_url=address) as api:
        assert api.get(PAGE).status_code == 200
        with Redis.from_url(fresh_redis) as redis:
            redis.flushall()
        time.sleep(1.1)
        assert api.get(PAGE).status_code == 503
