"""Reading a partition from a place of one's own choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from event_store.kafka.clients import opened
from event_store.kafka.errors import KafkaTopicMissing, KafkaUnavailable, kafka_errors_are_typed
from event_store.kafka.transactions import ANSWER_SECONDS_MAX, CONNECT_SECONDS_MAX, RETRY_MS

PAGE_RECORDS = 5_000
FETCH_BYTES = 8 * 1024 * 1024
_WINDOW = 16  # records


def connect(
    arguments: Mapping[str, Any], *, fetch_bytes: int = FETCH_BYTES, committed: bool = True
) -> KafkaConsumer:
    """A consumer without a group. KafkaUnavailable.

    `fetch_bytes`: what it takes at once, or else the next batch. `committed`: it reads nothing else.
    """
    return opened(
        KafkaConsumer,
        arguments,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=PAGE_RECORDS,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=fetch_bytes,
        request_timeout_ms=int(ANSWER_SECONDS_MAX * 1000),
        bootstrap_timeout_ms=int(CONNECT_SECONDS_MAX * 1000),
        retry_backoff_ms=RETRY_MS,
        reconnect_backoff_max_ms=1000,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )


@contextmanager
def reading(arguments: Mapping[str, Any], *, committed: bool = True) -> Iterator[KafkaConsumer]:
    """A consumer for a while; see `connect`."""
    consumer = connect(arguments, committed=committed)
    try:
        yield consumer
    finally:
        consumer.close()


def ends(consumer: KafkaConsumer, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """The offset after the last record of each partition. KafkaTopicMissing, KafkaUnavailable."""
    with kafka_errors_are_typed():
        partitions = [
            TopicPartition(topic, number) for topic in topics for number in partitions_of(consumer, topic)
        ]
        found: dict[TopicPartition, int] = consumer.end_offsets(
            partitions, timeout_ms=int(ANSWER_SECONDS_MAX * 1000)
        )
        return found


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[int]:
    """The numbers of its partitions. KafkaTopicMissing."""
    with kafka_errors_are_typed():
        numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise KafkaTopicMissing(f"Kafka has no topic {topic}")
    return sorted(numbers)


def last_record(consumer: KafkaConsumer, topic: str, partition: int = 0) -> Any | None:
    """The last record of the partition; None where it has none. The consumer is assigned to it."""
    place = TopicPartition(topic, partition)
    end = ends(consumer, [topic])[place]
    with kafka_errors_are_typed():
        consumer.assign([place])
        begin = consumer.beginning_offsets([place])[place]
        window = _WINDOW
        start = end
        while start > begin:  # Records of aborted transactions, and marks, take offsets, too.
            start = max(begin, end - window)
            records = _between(consumer, place, start, end)
            if records:
                return records[-1]
            window *= 8
    return None


def _between(consumer: KafkaConsumer, place: TopicPartition, start: int, end: int) -> list[Any]:
    consumer.seek(place, start)
    records: list[Any] = []
    deadline = monotonic() + ANSWER_SECONDS_MAX
    while consumer.position(place) < end:
        if monotonic() > deadline:
            raise KafkaUnavailable(f"Kafka: {place.topic} was not read to its end in time")
        for some in consumer.poll(timeout_ms=200).values():
            records.extend(record for record in some if record.offset < end)
    return records
