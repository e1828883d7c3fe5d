"""Redis goes away, and comes back: with what it had, or with less."""

from __future__ import annotations

import pytest
from redis import Redis

from deploy.local.servers.redis import RedisServer
from tests.projections.running import new_runner, redis_builds, running, views_equal_a_rebuild, views_reach
from tests.shop.log import Shop


@pytest.mark.slow
@pytest.mark.parametrize("is_emptied", [False, True])
def test_views_go_on_when_redis_comes_back(shop: Shop, own_redis: RedisServer, is_emptied: bool) -> None:
    with running(new_runner(shop.log, redis_builds(own_redis.url, shop.log))):
        shop.bustle(orders=10)
        views_reach(own_redis.url, shop.flush())
        if is_emptied:
            with Redis.from_url(own_redis.url) as client:
                client.flushall()
        own_redis.stop()
        shop.bustle(orders=10, seed=2)
        head = shop.flush()
        own_redis.start()
        views_reach(own_redis.url, head)

    views_equal_a_rebuild(shop.log, own_redis.url)
