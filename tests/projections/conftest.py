"""What the projector's tests share: a shop on a log in memory, and what stands in Redis."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from redis import Redis

from deploy.local.servers.redis import RedisServer
from event_store.memory.log import MemoryLog
from tests.conftest import ServerPlace
from tests.shop.log import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop(MemoryLog())


@pytest.fixture
def redis(fresh_redis: str) -> Iterator[Redis]:
    with Redis.from_url(fresh_redis) as client:
        yield client


@pytest.fixture
def own_redis(server_place: ServerPlace) -> Iterator[RedisServer]:
    """A server that a test may stop, and whose files it may change."""
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
    shutil.rmtree(server.folder)
