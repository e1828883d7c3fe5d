"""Whether what Kafka's topics hold is what the log has, and all that was published."""

from __future__ import annotations

from kafka import KafkaConsumer

from event_store.history import has
from event_store.kafka.checkpoint import RelayCheckpoint, sequences_of
from event_store.kafka.messages import position_of
from event_store.kafka.reading import ends, last_record
from event_store.kafka.topics import Topics
from event_store.records import EventReader


def why_not_ours(found: RelayCheckpoint, topics: Topics, log: EventReader) -> str | None:
    """Why nothing of this log may follow this checkpoint; None: it may. Raises StoreUnavailable."""
    log_id = log.log_id()
    if found.log != log_id:
        return f"Kafka's topics {topics.prefix}* hold another log's events ({found.log}, not {log_id})"
    if not has(log, found.checkpoint):
        return (
            f"Kafka's topics {topics.prefix}* hold events of another history of this log,"
            f" up to position {found.position}"
        )
    return None


def what_is_lost(found: RelayCheckpoint, topics: Topics, consumer: KafkaConsumer) -> str | None:
    """Which topic has fewer records than were published; None: none has. Raises StoreUnavailable."""
    sequences = sequences_of(found)
    for partition, end in ends(consumer, topics.of_events).items():
        if end < sequences.get(partition, 0):
            return f"{partition.topic} has lost records that were published"
    return None


def what_is_not_counted(found: RelayCheckpoint | None, topics: Topics, consumer: KafkaConsumer) -> str | None:
    """How the ordered topic ends elsewhere than the checkpoint; None: there. While nobody publishes.

    Raises StoreUnavailable.
    """
    position = 0 if found is None else found.position
    last = last_record(consumer, topics.events)
    there = 0 if last is None else position_of(last)
    if there == position:
        return None
    at = f"the relay's checkpoint in {topics.relay} is {position}"
    return f"{topics.events} ends at position {there}, and {at}"
