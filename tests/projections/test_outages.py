"""Redis goes away, and comes back: with what it had, or with less."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from deploy.local.servers.redis import RedisServer
from tests.conftest import ServerPlace
from tests.projections.running import new_runner, redis_builds, running, views_equal_a_rebuild, views_reach
from tests.shop.log import Shop


@pytest.fixture
def own_redis(server_place: ServerPlace) -> Iterator[RedisServer]:
    sockets = server_place.sockets / "o"
    sockets.mkdir(mode=0o777, exist_ok=True)
    sockets.chmod(0o777)
    server = RedisServer(
        program=server_place.binaries.redis_server,
        folder=server_place.folder / "own-redis",
        sockets=sockets,
        account=server_place.account,
        log=server_place.folder / "own-redis.log",
    )
    server.start()
    yield server
    server.stop()


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
