"""What consumers find on Kafka, and whether it is all that the log has, each event once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import TopicPartition

from event_store.kafka.messages import recorded_event
from event_store.kafka.reading import ends, reading
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.records import EventReader
from tests.waiting import wait_until

PAGE_EVENTS = 5_000


def records_by_partition(settings: KafkaSettings, topics: Iterable[str]) -> dict[TopicPartition, list[Any]]:
    """Every committed record of these topics."""
    found: dict[TopicPartition, list[Any]] = {}
    with reading(settings.client_arguments()) as consumer:
        for partition, end in ends(consumer, list(topics)).items():
            consumer.assign([partition])
            consumer.seek(partition, 0)
            found[partition] = []
            while consumer.position(partition) < end:
                for records in consumer.poll(timeout_ms=500).values():
                    found[partition].extend(records)
    return found


def sequence(record: Any) -> int:
    """The record's place among those of its partition."""
    return int(dict(record.headers)["ce_sequence"])


def position(record: Any) -> int:
    """The event's place in the log."""
    return int(dict(record.headers)["ce_position"])


def everything_is_published_once(log: EventReader, settings: KafkaSettings) -> Mapping[TopicPartition, int]:
    """The ordered topic is the log, and so are the contexts' topics together; gives how many lie where."""
    topics = Topics(settings.topic_prefix)
    head = log.head()
    found: dict[TopicPartition, list[Any]] = {}

    def is_readable() -> bool:
        """The marks of a commit may come a little later than its answer."""
        nonlocal found
        found = records_by_partition(settings, topics.of_events)
        return sum(map(len, found.values())) >= 2 * head

    wait_until(is_readable, why=lambda: str({place: len(records) for place, records in found.items()}))
    ordered = found.pop(TopicPartition(topics.events, 0))
    assert [position(record) for record in ordered] == list(range(1, head + 1))
    for after in range(0, head, PAGE_EVENTS):
        for event, record in zip(
            log.read_all(after=after, limit=PAGE_EVENTS), ordered[after : after + PAGE_EVENTS], strict=True
        ):
            assert recorded_event(record).checkpoint == event.checkpoint
    positions: list[int] = []
    versions: dict[str, int] = defaultdict(int)
    for partition, records in found.items():
        assert [sequence(record) for record in records] == list(range(1, len(records) + 1)), partition
        for record in records:
            event = recorded_event(record)
            assert partition.topic == topics.of(event.type)
            assert event.version > versions[event.stream], "a stream's events are in order"
            versions[event.stream] = event.version
            positions.append(event.position)
    assert sorted(positions) == list(range(1, head + 1))
    assert [sequence(record) for record in ordered] == list(range(1, head + 1))
    return {partition: len(records) for partition, records in found.items()}
