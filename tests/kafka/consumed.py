"""What consumers find on Kafka, and whether it is all that the log has, each event once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from event_store.kafka.messages import recorded_event
from event_store.kafka.reading import ends, reading
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.records import EventReader, RecordedEvent
from tests.waiting import wait_until

PAGE_EVENTS = 5_000


def records_by_partition(settings: KafkaSettings, topics: Iterable[str]) -> dict[TopicPartition, list[Any]]:
    """Every committed record of these topics."""
    with reading(settings.client_arguments()) as consumer:
        return {
            partition: list(_committed(consumer, partition, end))
            for partition, end in ends(consumer, list(topics)).items()
        }


def sequence(record: Any) -> int:
    """The record's place among those of its partition."""
    return int(dict(record.headers)["ce_sequence"])


def position(record: Any) -> int:
    """The event's place in the log."""
    return int(dict(record.headers)["ce_position"])


def everything_is_published_once(log: EventReader, settings: KafkaSettings) -> Mapping[TopicPartition, int]:
    """The ordered topic is the log, and so are the contexts' topics together; gives how many lie there."""
    topics = Topics(settings.topic_prefix)
    head = log.head()
    found: dict[TopicPartition, int] = {}

    def is_readable() -> bool:
        """The marks of a commit may come a little later than its answer."""
        nonlocal found
        found = _checked(log, settings, topics, head)
        return sum(found.values()) >= 2 * head

    wait_until(is_readable, why=lambda: str(found))
    assert found.pop(TopicPartition(topics.events, 0)) == head
    assert sum(found.values()) == head
    return found


def _checked(
    log: EventReader, settings: KafkaSettings, topics: Topics, head: int
) -> dict[TopicPartition, int]:
    """How many records each partition has: in order, without a gap, and none twice."""
    found: dict[TopicPartition, int] = {}
    versions: dict[str, int] = defaultdict(int)
    seen = bytearray(head + 1)  # by position
    with reading(settings.client_arguments()) as consumer:
        for partition, end in ends(consumer, topics.of_events).items():
            place = 0
            events = _events(log)
            for place, record in enumerate(_committed(consumer, partition, end), start=1):
                assert sequence(record) == place, partition
                event = recorded_event(record)
                if partition.topic == topics.events:
                    assert event.position == place
                    assert event.checkpoint == next(events).checkpoint
                    continue
                assert partition.topic == topics.of(event.type)
                assert event.version > versions[event.stream], "a stream's events are in order"
                versions[event.stream] = event.version
                assert not seen[event.position], f"position {event.position} is there twice"
                seen[event.position] = 1
            found[partition] = place
    return found


def _events(log: EventReader) -> Iterator[RecordedEvent]:
    after = 0
    while events := log.read_all(after=after, limit=PAGE_EVENTS):
        yield from events
        after = events[-1].position


def _committed(consumer: KafkaConsumer, partition: TopicPartition, end: int) -> Iterator[Any]:
    consumer.assign([partition])
    consumer.seek(partition, 0)
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=500).values():
            yield from records
