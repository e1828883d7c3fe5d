"""The command API's part of a client's budget, which is the query API's too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from commands.http.costs import COSTS
from deploy.edge.rate_limits import RateLimited
from deploy.edge.settings import EdgeSettings
from deploy.local.rate_limits import rate_limits
from deploy.local.settings import RateLimitSettings
from event_store.memory.log import MemoryLog
from tests.shop.http import Shop, open_shop, product_body

ADDRESS = "192.0.2.7"
TOKEN = "t" * 20
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


def in_a_shop(folder: Path, settings: RateLimitSettings, scenario: Callable[[Shop], Awaitable[None]]) -> None:
    """A shop with an operator's token, whose clients have budgets; mugs are on sale."""
    edge = EdgeSettings(operator_token=TOKEN)

    async def run() -> None:
        log = MemoryLog()
        limits = rate_limits(settings)
        limited = partial(RateLimited, limits=limits, costs=COSTS, operator_token=TOKEN)
        async with open_shop(
            log, folder, edge=edge, limited=limited, peer=ADDRESS, operator_token=TOKEN
        ) as shop:
            made = await shop.post("/products", product_body("MUG"), **OPERATOR)
            assert made.status_code == 201, made.text
            await scenario(shop)
        await limits.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        ("/api/v1/visits/v/views", 2),
        ("/api/v1/carts", 2),
        ("/api/v1/carts/c/items", 2),
        ("/api/v1/carts/c/checkout", 10),
        ("/api/v1/carts/c/quote", 10),
        ("/api/v1/promotions/p/try", 10),
        ("/api/v1/gift-cards/balance", 5),
        ("/api/v1/gift-cards", 1),
        ("/api/v1/payments/webhooks/stripe", 0),
        ("/health/live", 0),
        ("/no/such/route", 1),
    ],
)
def test_a_command_has_its_cost(path: str, cost: int) -> None:
    assert COSTS.of(path) == cost


def test_a_budget_is_spent_and_then_refused_and_nothing_is_written(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        views = [await shop.post(f"/visits/{uuid4()}/views", {"sku": "MUG"}) for _ in range(3)]
        assert [one.status_code for one in views] == [201, 201, 429]
        assert [one.headers["ratelimit"].split(";")[1] for one in views] == ["r=2", "r=0", "r=0"]
        assert views[0].headers["ratelimit-policy"] == '"minute";q=4;w=60'
        refused = views[-1]
        assert refused.json()["type"] == "/problems/rate-limited"
        assert int(refused.headers["retry-after"]) >= 1
        assert len(refused.headers["trace-id"]) == 32
        assert len(shop.events("visits.product_viewed")) == 2
        # Before any work: not even the body is looked at.
        assert (await shop.post("/carts", {"nonsense": 1})).status_code == 429
        # Others have budgets of their own, and the gateway needs none.
        assert (await shop.post("/products", product_body("CUP"), **OPERATOR)).status_code == 201
        news = await shop.post("/payments/webhooks/stripe", {})
        assert (news.status_code, news.json()["type"]) == (400, "/problems/news-rejected")

    in_a_shop(tmp_path, RateLimitSettings(rate_limit=4), scenario)


def test_what_the_other_api_has_spent_is_spent_here(tmp_path: Path, fresh_redis: str) -> None:
    settings = RateLimitSettings(rate_limit=60, redis_url=fresh_redis)

    async def scenario(shop: Shop) -> None:
        queries = rate_limits(settings)
        while await queries.draw(ADDRESS, 3) == 0:
            assert queries.spend(ADDRESS, 3) is not None
        await queries.close()
        assert (await shop.post("/carts/c/checkout", {})).status_code == 429

    in_a_shop(tmp_path, settings, scenario)
