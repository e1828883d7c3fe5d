"""The relay publishes every event once, in order, and by one writer at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from zlib import crc32

import pytest
from kafka import KafkaAdminClient, TopicPartition

from event_store.kafka.checkpoint import RelayCheckpoint, read_checkpoint
from event_store.kafka.reading import reading
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.memory.log import MemoryLog
from event_store.records import NewEvent
from projections.engine.follower import Batch, Decoded, TargetDamaged, TargetMoved, TargetUnavailable
from projections.kafka.relay import Relay
from tests.kafka.consumed import everything_is_published_once, position, records_by_partition
from tests.kafka.many_events import append_many
from tests.projections.running import eventually, new_runner, running
from tests.restored import RestoredLog
from tests.shop.facts import CODEC
from tests.shop.log import Shop
from tests.shop.story import Story


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def publish(log: MemoryLog, settings: KafkaSettings) -> None:
    """Up to the head, by a relay that is then gone."""
    relay, head = Relay(settings, log, CODEC), log.head()
    with running(new_runner(log, [relay])):
        eventually(lambda: relay.position == head, f"the relay at {head}")


@contextlib.contextmanager
def opened(log: MemoryLog, settings: KafkaSettings) -> Iterator[Relay]:
    relay = Relay(settings, log, CODEC)
    relay.open()
    try:
        yield relay
    finally:
        relay.close()


def batch_after(log: MemoryLog, after: int, *, limit: int = 1_000) -> Batch:
    return Batch(Decoded(event, CODEC.decode(event)) for event in log.read_all(after=after, limit=limit))


def take(relay: Relay, batch: Batch) -> None:
    relay.apply(batch, up_to=batch[-1].recorded.position, tailing=True)


def published_are(settings: KafkaSettings, positions: Sequence[int]) -> None:
    """At last: the marks of a commit may come a little later than its answer."""
    eventually(lambda: len(positions_published(settings)) >= len(positions), f"{len(positions)} events")
    assert positions_published(settings) == list(positions)


def checkpoint_in(settings: KafkaSettings) -> RelayCheckpoint | None:
    with reading(settings.client_arguments()) as consumer:
        return read_checkpoint(consumer, Topics(settings.topic_prefix).relay)


def checkpoint_position(settings: KafkaSettings) -> int:
    checkpoint = checkpoint_in(settings)
    return 0 if checkpoint is None else checkpoint.position


def positions_published(settings: KafkaSettings) -> list[int]:
    topic = Topics(settings.topic_prefix).events
    return [position(record) for record in records_by_partition(settings, [topic])[TopicPartition(topic, 0)]]


def test_every_event_is_in_its_contexts_topic_and_in_the_ordered_one(
    log: MemoryLog, kafka: KafkaSettings
) -> None:
    story = Story(log)
    story.whole_story()
    append_many(log, 700)
    publish(log, kafka)
    everything_is_published_once(log, kafka)


def test_a_streams_events_lie_where_librdkafka_would_look(log: MemoryLog, kafka: KafkaSettings) -> None:
    append_many(log, 300)
    publish(log, kafka)
    topic = Topics(kafka.topic_prefix).of("orders.order_placed")
    found = records_by_partition(kafka, [topic])
    assert len(found) > 1
    for partition, records in found.items():
        assert all(crc32(record.key) % len(found) == partition.partition for record in records)


def test_it_goes_on_where_it_was(log: MemoryLog, kafka: KafkaSettings) -> None:
    for events in (40, 1, 59):
        append_many(log, events)
        publish(log, kafka)
    everything_is_published_once(log, kafka)
    eventually(
        lambda: (found := checkpoint_in(kafka)) is not None and found.position == 100, "the checkpoint"
    )
    checkpoint = checkpoint_in(kafka)
    assert checkpoint is not None
    assert checkpoint.log == log.log_id()
    assert checkpoint.checkpoint == log.read_all(after=99, limit=1)[0].checkpoint


def test_a_twin_that_was_suspended_within_a_transaction_publishes_nothing(
    log: MemoryLog, kafka: KafkaSettings
) -> None:
    append_many(log, 100)
    with opened(log, kafka) as twin:
        take(twin, batch_after(log, 0, limit=60))
        with opened(log, kafka) as relay:
            assert relay.position == 0
            take(relay, batch_after(log, 0, limit=30))
            relay.settle(may_hold_back=False)
            with pytest.raises(TargetMoved):
                twin.settle(may_hold_back=False)
            published_are(kafka, range(1, 31))
            take(relay, batch_after(log, 30))
            relay.settle(may_hold_back=False)
    everything_is_published_once(log, kafka)


def test_what_was_sent_and_not_committed_is_read_by_nobody(log: MemoryLog, kafka: KafkaSettings) -> None:
    append_many(log, 50)
    with opened(log, kafka) as relay:
        take(relay, batch_after(log, 0))
    assert positions_published(kafka) == []
    publish(log, kafka)
    everything_is_published_once(log, kafka)


def test_a_batch_that_was_counted_is_not_published_again(log: MemoryLog, kafka: KafkaSettings) -> None:
    append_many(log, 50)
    with opened(log, kafka) as relay:
        for _ in range(2):
            take(relay, batch_after(log, 0, limit=20))
            relay.settle(may_hold_back=False)
        take(relay, batch_after(log, 10))
        relay.settle(may_hold_back=False)
    everything_is_published_once(log, kafka)


def test_an_idle_relay_notices_another_writer_and_not_its_own_writes(
    log: MemoryLog, kafka: KafkaSettings
) -> None:
    append_many(log, 60)
    with opened(log, kafka) as relay:
        for after in (0, 10, 20):
            relay.check()
            take(relay, batch_after(log, after, limit=10))
            relay.settle(may_hold_back=False)
            relay.check()
        publish(log, kafka)
        eventually(lambda: checkpoint_position(kafka) == 60, "the other's checkpoint")
        with pytest.raises(TargetMoved):
            relay.check()
    everything_is_published_once(log, kafka)


def test_topics_that_lost_records_are_not_led_on(log: MemoryLog, kafka: KafkaSettings) -> None:
    append_many(log, 20)
    publish(log, kafka)
    lost = Topics(kafka.topic_prefix).of("orders.order_placed")
    with contextlib.closing(KafkaAdminClient(**kafka.client_arguments())) as admin:
        admin.delete_topics([lost])
    append_many(log, 20)

    def refusal() -> str:
        try:
            with opened(log, kafka):
                return ""  # It goes a little later.
        except (TargetDamaged, TargetUnavailable) as error:
            return str(error)

    eventually(lambda: f"{lost} has lost records" in refusal(), "the refusal")
    published_are(kafka, range(1, 21))


def test_another_logs_topics_are_left_alone(log: MemoryLog, kafka: KafkaSettings) -> None:
    append_many(log, 20)
    other = MemoryLog()
    append_many(other, 30)
    with opened(log, kafka) as relay:
        take(relay, batch_after(log, 0, limit=10))
        relay.settle(may_hold_back=False)
        with pytest.raises(TargetDamaged, match=r"another log's events .* DAYBOOK_KAFKA_TOPIC_PREFIX"):
            Relay(kafka, other, CODEC).open()
        take(relay, batch_after(log, 10))  # It was not fenced.
        relay.settle(may_hold_back=False)
    everything_is_published_once(log, kafka)


def test_nothing_follows_another_history(kafka: KafkaSettings) -> None:
    log = RestoredLog()
    append_many(log, 20)
    publish(log, kafka)
    log.lose(5)
    append_many(log, 30)
    with pytest.raises(TargetDamaged, match="another history"):
        Relay(kafka, log, CODEC).open()
    published_are(kafka, range(1, 21))


def test_it_stops_before_what_it_cannot_publish(log: MemoryLog, kafka: KafkaSettings) -> None:
    append_many(log, 5)
    shop = Shop(log)
    shop.records_raw(NewEvent("cart-" + "x" * 32, "cart.newer_than_this_code", 1, b"{}"))
    shop.flush()
    append_many(log, 5)
    runner = new_runner(log, [Relay(kafka, log, CODEC)])
    with running(runner):
        eventually(lambda: bool(runner.stops), "a stop")
        (stop,) = runner.stops
    assert (stop.view, stop.position, stop.event_type) == ("relay", 5, "cart.newer_than_this_code")
    published_are(kafka, range(1, 6))
