"""State topics: a consumer who reads them from the start has the present documents, without a replay."""

from __future__ import annotations

from contextlib import closing, suppress

from redis import Redis

from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import TopicAdmin
from event_store.kafka.topics import Topics
from event_store.memory.log import MemoryLog
from projections.builds import state_builds
from projections.documents.keys import document_key_at
from projections.engine.follower import TargetMoved
from projections.kafka.state_build import STATE_VIEWS
from projections.redis.build import RedisBuild
from projections.views.registry import VIEWS
from tests.projections.running import eventually, new_runner, running
from tests.shop.log import Shop
from tests.stores.kafka_store import StateConsumer


def in_redis(url: str, view: str) -> dict[str, bytes]:
    """The view's documents by key."""
    found = {}
    with Redis.from_url(url) as client:
        for place in client.scan_iter(f"{{{view}.v*"):
            key = document_key_at(place.decode())
            if key is not None:
                found[key] = client.get(place)
    return found


def test_they_hold_the_documents_of_redis_byte_for_byte(kafka: KafkaSettings, fresh_redis: str) -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=30, products=12)
    head = shop.flush()
    states = state_builds(kafka, shop.log, VIEWS)
    assert [build.name for build in states] == [
        f"state.{view.name}" for view in VIEWS if view.name in STATE_VIEWS
    ]
    views = [view for view in VIEWS if view.name in STATE_VIEWS]
    builds = [*states, *(RedisBuild(view, fresh_redis, shop.log) for view in views)]

    def at(position: int) -> bool:
        with suppress(TargetMoved):  # It is closed just now.
            return all(build.is_published and build.position == position for build in builds)
        return False

    with running(new_runner(shop.log, builds)):
        eventually(lambda: at(head), "at the head")
        shop.bustle(orders=10, products=12, seed=2)
        head = shop.flush()
        eventually(lambda: at(head), "at the new head")
    for view in views:
        with closing(StateConsumer(kafka, view.name)) as consumer:
            state = consumer.read_all()
        assert state.position == head
        assert state.pages == in_redis(fresh_redis, view.name)
        assert len(state.pages) > 5


def test_each_version_is_a_compacted_topic_of_one_partition(kafka: KafkaSettings) -> None:
    shop = Shop(MemoryLog())
    (product, *others) = state_builds(kafka, shop.log, VIEWS)
    product.open()
    topics = Topics(kafka.topic_prefix)
    admin = TopicAdmin(kafka)
    try:
        assert admin.topic_id(topics.state_of("product", product.version)) is not None
        # Which fits what stands in the file.
        compacted = topics.declared.state_settings("product")
        admin.make({topics.state_of("product", product.version): compacted})
        assert (compacted.partitions, compacted.texts["cleanup.policy"]) == (1, "compact")
    finally:
        admin.close()
        product.close()
    assert others
