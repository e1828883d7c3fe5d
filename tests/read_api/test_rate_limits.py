"""Budgets of clients: what a route costs, who pays, and what is said."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from pydantic import ValidationError
from redis import Redis

from deploy.edge.middleware import behind_the_edge
from deploy.edge.rate_limits import RateLimits, whose_budget
from deploy.edge.settings import EdgeSettings
from deploy.local.rate_limits import limiting, rate_limits
from deploy.local.settings import RateLimitSettings
from projections.documents.redis_token_buckets import RedisTokenBuckets
from read_api.app import build_query_app
from read_api.costs import COSTS
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.views import ViewShop
from tests.waiting import SECONDS_MAX

PAGE = "/api/v1/products/MUG"


def over(redis_url: str, per_minute: int) -> RateLimits:
    return rate_limits(RateLimitSettings(rate_limit=per_minute, redis_url=redis_url))


@contextmanager
def limited(
    settings: QuerySettings,
    shop: ViewShop,
    per_minute: int,
    *,
    proxies: str | None = None,
    token: str | None = None,
) -> Iterator[httpx.Client]:
    changed = settings.model_copy(update={"operator_token": token})
    app = build_query_app(changed, ready_position=lambda: shop.head_at_start)
    edge = EdgeSettings(operator_token=token, trusted_proxies=proxies)
    budgets = RateLimitSettings(rate_limit=per_minute, redis_url=settings.redis_url, operator_token=token)
    with (
        running(behind_the_edge(app, edge, methods=["GET"], limited=limiting(budgets, COSTS))) as address,
        httpx.Client(base_url=address) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        (f"{PAGE}/also-bought", 3),
        ("/api/v1/visits/v/recent", 2),
        (PAGE, 1),
        ("/api/v1/products", 2),
        ("/api/v1/products/MUG/live", 5),
        ("/api/v1/search", 5),
        ("/api/v1/dashboards/sales", 10),
        ("/api/v1/customers/c-1/orders", 5),
        ("/api/v1/carts/c1", 1),
        ("/no/such/route", 1),
        ("", 1),
        ("/health/ready", 0),
        ("/metrics", 0),
    ],
)
def test_a_route_has_its_cost(path: str, cost: int) -> None:
    assert COSTS.of(path) == cost


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("no:address", "no:address"),
    ],
)
def test_a_client_is_an_address_or_a_network_of_them(host: str, client: str) -> None:
    scope = {"type": "http", "client": (host, 1), "headers": []}
    assert whose_budget(scope, None) == client
    bearer = [(b"authorization", b"Bearer t0ken")]
    assert whose_budget({**scope, "headers": bearer}, "t0ken") == "operator"
    assert whose_budget({**scope, "headers": bearer}, "another") == client


def test_a_budget_is_spent_and_then_refused_before_any_work(
    shop: ViewShop, query_settings: QuerySettings
) -> None:
    shop.lists("MUG")
    with limited(query_settings, shop, 20) as api:
        left = []
        for _ in range(20):
            answered = api.get(PAGE)
            assert answered.status_code == 200
            assert answered.headers["ratelimit-policy"] == '"minute";q=20;w=60'
            left.append(int(answered.headers["ratelimit"].split(";")[1].removeprefix("r=")))
        assert left == list(range(19, -1, -1))
        refused = api.get(PAGE)
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/rate-limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 3
        assert refused.headers["ratelimit"] == '"minute";r=0;t=60'
        # Whatever was asked for, but for health.
        assert api.get("/api/v1/no-such-route").status_code == 429
        assert api.get("/health/live").status_code == 200


def test_a_dear_route_costs_more(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.lists("MUG")
    with limited(query_settings, shop, 12) as api:
        assert [api.get("/api/v1/search?q=mug").status_code for _ in range(3)] == [200, 200, 429]
        assert [api.get(PAGE).status_code for _ in range(3)] == [200, 200, 429]


def test_a_route_dearer_than_the_budget_takes_all_of_it(
    shop: ViewShop, query_settings: QuerySettings
) -> None:
    shop.lists("MUG")
    with limited(query_settings, shop, 3) as api:
        assert [api.get("/api/v1/search?q=mug").status_code for _ in range(2)] == [200, 429]


def test_a_budget_fills_up_again(fresh_redis: str) -> None:
    async def draw() -> None:
        buckets = RedisTokenBuckets(
            fresh_redis, prefix="rate", capacity=10, seconds=5, timeout_seconds=SECONDS_MAX
        )
        assert (await buckets.draw("a", needed=10, wanted=10)).granted == 10
        refused = await buckets.draw("a", needed=2, wanted=5)
        assert refused.granted == 0
        assert 0 < refused.seconds_until_more <= 1.0
        await asyncio.sleep(refused.seconds_until_more + 0.01)
        assert 2 <= (await buckets.draw("a", needed=2, wanted=2)).granted <= 5
        await buckets.close()

    asyncio.run(draw())


def test_several_processes_give_one_budget(fresh_redis: str) -> None:
    async def spend() -> int:
        processes = [over(fresh_redis, 1_000) for _ in range(4)]

        async def ask(limits: RateLimits) -> int:
            granted = 0
            while await limits.draw("a", 3) == 0.0:
                granted += limits.spend("a", 3) is not None
            return granted

        begun = time.monotonic()
        granted = sum(await asyncio.gather(*(ask(limits) for limits in processes for _ in range(25))))
        refilled = (time.monotonic() - begun) * 1_000 / 60
        for limits in processes:
            await limits.close()
        assert granted * 3 <= 1_000 + refilled
        return granted

    assert asyncio.run(spend()) * 3 >= 1_000 - 4 * 3


def test_most_requests_ask_nobody(fresh_redis: str) -> None:
    with Redis.from_url(fresh_redis) as redis:
        before = redis.info("commandstats").get("cmdstat_eval", {}).get("calls", 0)

        async def spend() -> None:
            limits = over(fresh_redis, 1_000)
            for _ in range(200):
                if limits.spend("a", 1) is None:
                    assert await limits.draw("a", 1) == 0.0
                    limits.spend("a", 1)
            await limits.close()

        asyncio.run(spend())
        assert redis.info("commandstats")["cmdstat_eval"]["calls"] - before <= 5


def test_while_redis_is_away_each_process_counts_for_itself(fresh_redis: str) -> None:
    async def spend() -> Counter[bool]:
        limits = over("unix:///no/such/socket", 60)
        answers: Counter[bool] = Counter()
        for _ in range(100):
            answers[await limits.draw("a", 1) == 0.0 and limits.spend("a", 1) is not None] += 1
        await limits.close()
        return answers

    assert 60 <= asyncio.run(spend())[True] <= 65


def test_behind_a_proxy_each_client_has_its_budget(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.lists("MUG")

    def status(api: httpx.Client, forwarded: str) -> int:
        return api.get(PAGE, headers={"X-Forwarded-For": forwarded}).status_code

    with limited(query_settings, shop, 2, proxies="127.0.0.1, 10.0.0.0/8") as api:
        assert [status(api, "192.0.2.1") for _ in range(3)] == [200, 200, 429]
        assert status(api, "192.0.2.2") == 200
        # The proxy writes the one header alone, and passes the other on as the client sent it.
        named = {"Forwarded": "for=192.0.2.99", "X-Forwarded-For": "192.0.2.1"}
        assert api.get(PAGE, headers=named).status_code == 429
        # What a client claims stands left of what the proxies saw.
        assert status(api, "203.0.113.9, 192.0.2.1, 10.1.2.3") == 429
        assert status(api, "192.0.2.1, 192.0.2.3") == 200


def test_what_nobody_trusted_forwards_is_not_believed(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.lists("MUG")
    with limited(query_settings, shop, 2, proxies="10.0.0.0/8") as api:
        statuses = [
            api.get(PAGE, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(3)
        ]
        assert statuses == [200, 200, 429]


def test_the_operator_has_a_budget_of_its_own(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.lists("MUG")
    operator = {"Authorization": "Bearer t0ken"}
    with limited(query_settings, shop, 2, token="t0ken") as api:
        assert [api.get(PAGE).status_code for _ in range(3)] == [200, 200, 429]
        assert api.get(PAGE, headers=operator).status_code == 200
        # A made-up token buys nothing.
        assert api.get(PAGE, headers={"Authorization": "Bearer another"}).status_code == 429


@pytest.mark.parametrize("proxies", ["proxy.example", "10.0.0.1/8", "300.0.0.1"])
def test_a_proxy_is_an_address_or_a_network(proxies: str) -> None:
    with pytest.raises(ValidationError):
        EdgeSettings(trusted_proxies=proxies)
