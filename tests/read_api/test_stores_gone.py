"""Redis is killed, the search index taken away: the process goes on, and is well again when they are back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from deploy.local.servers.redis import RedisServer
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.facts import opened
from tests.shop.views import ViewShop, all_views
from tests.waiting import SECONDS_MAX, wait_until

PAGE = "/api/v1/products/MUG"
SEARCH = "/api/v1/search?q=mug"


def is_fresh(api: httpx.Client, path: str) -> Callable[[], bool]:
    """Whether the route answers from its store."""

    def found() -> bool:
        answer = api.get(path)
        return answer.status_code == 200 and "age" not in answer.headers

    return found


def is_stale(api: httpx.Client, path: str, before: httpx.Response) -> Callable[[], bool]:
    """Whether the route shows what it showed, and says so."""

    def found() -> bool:
        answer = api.get(path)
        if "age" not in answer.headers:
            return False
        assert (answer.status_code, answer.content) == (200, before.content)
        assert answer.headers["cache-status"].startswith("daybook; hit; ttl=-")
        assert answer.headers.get_list("trace-id") != before.headers.get_list("trace-id")
        assert len(answer.headers.get_list("trace-id")) == 1
        return True

    return found


def test_redis_killed_and_started_again(own_redis: RedisServer, tmp_path: Path) -> None:
    shop = all_views(own_redis.url, tmp_path / "index")
    shop.lists("MUG")
    shop.happens(opened("c1"))
    settings = QuerySettings(redis_url=own_redis.url, data_dir=tmp_path)
    with (
        running(build_query_app(settings, ready_position=lambda: 0)) as address,
        httpx.Client(base_url=address, timeout=SECONDS_MAX) as api,
    ):
        before = api.get(PAGE)
        assert api.get("/api/v1/carts/c1").status_code == 200
        own_redis.stop()
        wait_until(is_stale(api, PAGE, before))
        refused = api.get("/api/v1/carts/c1")
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/store-unavailable")
        assert refused.headers["retry-after"] == "1"
        assert is_fresh(api, SEARCH)(), "the index is another store"
        own_redis.start()
        shop.notices_losses()
        wait_until(is_fresh(api, PAGE))
        wait_until(is_fresh(api, "/api/v1/carts/c1"))
    shop.close()


def test_the_search_index_taken_away_and_brought_back(
    shop: ViewShop, query_settings: QuerySettings, tmp_path: Path
) -> None:
    shop.lists("MUG")
    settings = query_settings.model_copy(update={"stale_seconds": 3_600})
    with (
        running(build_query_app(settings, ready_position=lambda: 0)) as address,
        httpx.Client(base_url=address, timeout=SECONDS_MAX) as api,
    ):
        before = api.get(SEARCH)
        index, aside = tmp_path / "index", tmp_path / "elsewhere"
        index.rename(aside)
        wait_until(is_stale(api, SEARCH, before))
        refused = api.get("/api/v1/search?q=another")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert is_fresh(api, PAGE)(), "pages lie in another store"
        aside.rename(index)
        wait_until(is_fresh(api, SEARCH))
        wait_until(is_fresh(api, "/api/v1/search?q=another"))
