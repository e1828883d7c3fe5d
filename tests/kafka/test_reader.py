"""What is read from Kafka is what the log has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from event_store.errors import AnotherLog
from event_store.history import checkpoint_at, has, read_on
from event_store.kafka.reader import KafkaEvents
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.memory.log import MemoryLog
from event_store.records import START, Checkpoint
from projections.engine.follower import Follower
from projections.kafka.relay import Relay
from tests.kafka.many_events import append_many
from tests.kafka.test_relay import batch_after, opened, publish, take
from tests.projections.running import (
    eventually,
    new_runner,
    redis_builds,
    running,
    views_equal_a_rebuild,
    views_reach,
)
from tests.shop.facts import CODEC
from tests.shop.log import Shop
from tests.shop.story import Story


@pytest.fixture
def log() -> MemoryLog:
    story = Story(MemoryLog())
    story.whole_story()
    return story.log  # type: ignore[return-value]


@pytest.fixture
def events(log: MemoryLog, kafka: KafkaSettings) -> Iterator[KafkaEvents]:
    """Of the log's topics."""
    events = events_of(kafka, log.log_id())
    yield events
    events.close()


def events_of(kafka: KafkaSettings, log_id: str) -> KafkaEvents:
    return KafkaEvents(kafka.client_arguments(), Topics(kafka.topic_prefix), log_id)


def test_it_reads_from_any_place(log: MemoryLog, kafka: KafkaSettings, events: KafkaEvents) -> None:
    for more in (0, 1, 1, 250, 1):  # Each a transaction, whose mark takes an offset.
        append_many(log, more)
        publish(log, kafka)
    head = log.head()
    eventually(lambda: events.head() == head, f"the head {head}")
    for after, limit, up_to in [
        (0, 10, None),
        (10, 3, None),
        (head - 1, 50, None),
        (head, 50, None),
        (5, 1_000, None),
        (2, 1_000, 9),
        (head // 2, 7, None),
        (9, 10, 9),
        (head + 5, 10, None),
    ]:
        read = events.read_all(after=after, limit=limit, up_to=up_to)
        expected = log.read_all(after=after, limit=limit, up_to=up_to)
        assert [CODEC.decode(one) for one in read] == [CODEC.decode(one) for one in expected]
        assert [one.checkpoint for one in read] == [one.checkpoint for one in expected]


def test_readers_at_several_places_take_turns(
    log: MemoryLog, kafka: KafkaSettings, events: KafkaEvents
) -> None:
    append_many(log, 12_500)
    publish(log, kafka)
    eventually(lambda: events.head() == log.head(), "the head")
    places = [0, 5_500, 11_000]  # Further apart than a page.
    for _ in range(4):
        for number, after in enumerate(places):
            read = read_on(events, checkpoint_of(log, after), limit=300)
            assert [one.position for one in read] == list(range(after + 1, after + 301))
            places[number] = after + 300


def checkpoint_of(log: MemoryLog, position: int) -> Checkpoint:
    found = checkpoint_at(log, position)
    assert found is not None
    return found


def test_it_reads_on_from_a_checkpoint_of_the_log(
    log: MemoryLog, kafka: KafkaSettings, events: KafkaEvents
) -> None:
    publish(log, kafka)
    eventually(lambda: events.head() == log.head(), "the head")
    checkpoint = checkpoint_of(log, 4)
    assert has(events, checkpoint)
    assert has(events, START)
    assert [one.position for one in read_on(events, checkpoint, limit=3)] == [5, 6, 7]


def test_it_sees_what_is_committed_and_nothing_else(
    log: MemoryLog, kafka: KafkaSettings, events: KafkaEvents
) -> None:
    with opened(log, kafka) as relay:
        assert events.head() == 0
        assert events.wait(after=0, timeout_seconds=0.05) == 0
        take(relay, batch_after(log, 0, limit=4))
        assert events.read_all(after=0, limit=10) == []
        relay.settle(may_hold_back=False)
        assert events.wait(after=0, timeout_seconds=60) == 4
        assert [one.position for one in events.read_all(after=0, limit=10)] == [1, 2, 3, 4]
        take(relay, batch_after(log, 4, limit=2))
        relay.settle(may_hold_back=False)
        assert events.wait(after=4, timeout_seconds=60) == 6
        assert [one.position for one in events.read_all(after=4, limit=10)] == [5, 6]


def test_another_logs_events_are_refused(log: MemoryLog, kafka: KafkaSettings) -> None:
    with opened(log, kafka) as relay:
        events = events_of(kafka, "another")
        try:
            assert events.head() == 0  # Nobody's yet.
            take(relay, batch_after(log, 0))
            relay.settle(may_hold_back=False)
            with pytest.raises(AnotherLog, match="another log's events"):
                eventually(lambda: events.head() > 0, "a refusal")
        finally:
            events.close()


def test_views_folded_from_kafka_are_those_of_the_log_byte_for_byte(
    log: MemoryLog, kafka: KafkaSettings, events: KafkaEvents, fresh_redis: str
) -> None:
    relay: list[Follower] = [Relay(kafka, log, CODEC)]
    with running(new_runner(log, relay)), running(new_runner(events, redis_builds(fresh_redis, log))):
        views_reach(fresh_redis, log.head())
        shop = Shop(log)
        for number in range(20):
            shop.lists(f"SKU-{number}")
            shop.places(f"{number:032}", {f"SKU-{number}": 2})
        views_reach(fresh_redis, shop.flush())
        eventually(lambda: events.head() == log.head(), "the head")
    views_equal_a_rebuild(log, fresh_redis)
