"""Where the event stream on Kafka stands."""

from __future__ import annotations

from collections import Counter

import msgspec

from event_store.errors import LogUnreadable
from event_store.kafka.checkpoint import RelayCheckpoint, read_checkpoint
from event_store.kafka.errors import KafkaTopicMissing
from event_store.kafka.reading import partitions_of, reading
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.postgres.log import PostgresLog
from projections.kafka.published import what_is_lost, why_not_ours
from projections.kafka.relay import LOCK


class TopicStatus(msgspec.Struct, frozen=True):
    """One topic of events, and how many of them the relay has published there."""

    topic: str
    partitions: int
    records: int


class StreamStatus(msgspec.Struct, frozen=True):
    """The relay and its topics. `publisher` is the process that publishes, as `host:pid`; null: none does.
    `wrong` says what somebody has to mend; null: nothing."""

    publisher: str | None
    position: int
    lag: int  # events
    topics: list[TopicStatus]
    wrong: str | None = None


def stream_status(log: PostgresLog, settings: KafkaSettings) -> StreamStatus:
    """Raises StoreUnavailable, of the log or of Kafka."""
    topics = Topics(settings.topic_prefix, settings.topics_file)
    head = log.head()
    holder = next((one.process for one in log.holders([LOCK]).get(LOCK, ())), None)
    wrong = None if holder else "no process publishes: the projector does, or `daybook serve relay`"
    found: RelayCheckpoint | None = None
    rows: list[TopicStatus] = []
    with reading(settings.client_arguments()) as consumer:
        try:
            found = read_checkpoint(consumer, topics.relay)
            records: Counter[str] = Counter()
            for name, sequence in (found.sequences if found else {}).items():
                records[name.rpartition("/")[0]] += sequence
            rows = [
                TopicStatus(topic, len(partitions_of(consumer, topic)), records[topic])
                for topic in topics.of_events
            ]
        except (KafkaTopicMissing, LogUnreadable) as error:
            wrong = str(error)
    if found is not None:
        with reading(
            settings.client_arguments(), committed=False
        ) as consumer:  # Of what is being committed, too.
            lost = what_is_lost(found, topics, consumer)
        wrong = why_not_ours(found, topics, log) or lost or wrong
    position = 0 if found is None else found.position
    return StreamStatus(holder, position, max(head - position, 0), rows, wrong)
