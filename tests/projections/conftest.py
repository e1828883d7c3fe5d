"""What the projector's tests share: a shop on a log in memory, and what stands in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from event_store.memory.log import MemoryLog
from tests.shop.log import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop(MemoryLog())


@pytest.fixture
def redis(fresh_redis: str) -> Iterator[Redis]:
    with Redis.from_url(fresh_redis) as client:
        yield client
