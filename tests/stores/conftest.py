"""A store of each kind, emptied, and a shop in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from deploy.local.servers.kafka import KafkaServer
from event_store.kafka.settings import KafkaSettings
from event_store.memory.log import MemoryLog
from tests.redis_cluster.cluster import Cluster
from tests.shop.log import Shop
from tests.stores.elasticsearch_store import ElasticsearchStore
from tests.stores.kafka_store import KafkaStore
from tests.stores.memory_store import MemoryStore
from tests.stores.redis_store import RedisPlace
from tests.stores.store import NAMES, Store, StoreShop
from tests.stores.tantivy_store import TantivyStore


def opened(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    match name:
        case "memory":
            return MemoryStore()
        case "redis":
            url = request.getfixturevalue("fresh_redis")
            return RedisPlace(url, [Redis.from_url(url)], shards=3)
        case "cluster":
            cluster: Cluster = request.getfixturevalue("cluster")
            return RedisPlace(cluster.url, [node.client() for node in cluster.nodes], shards=16)
        case "tantivy":
            return TantivyStore(tmp_path / "index")
        case "kafka":
            server: KafkaServer = request.getfixturevalue("kafka_server")
            return KafkaStore(KafkaSettings(bootstrap=server.bootstrap, topic_prefix=f"{uuid4().hex[:12]}."))
        case _:
            return ElasticsearchStore(request.getfixturevalue("elasticsearch_url"))


@pytest.fixture(autouse=True)
def committed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search index holds little back: what is tested is what becomes of it, and not when."""
    for pause in ("", "_QUIET", "_CATCHING_UP", "_UNPUBLISHED"):
        monkeypatch.setattr(f"projections.search.build._HELD_BACK_SECONDS{pause}", 0.02)


@pytest.fixture(params=NAMES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = opened(request.param, request, tmp_path)
    yield one
    one.close()


@pytest.fixture
def shop(store: Store) -> Iterator[StoreShop]:
    shop = StoreShop(store)
    yield shop
    shop.close()


@pytest.fixture
def busy() -> Shop:
    """A shop that appends to a log, for projectors to follow."""
    return Shop(MemoryLog())
