"""How far the relay has come: the last record of its own compacted topic."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from kafka import KafkaConsumer, TopicPartition

from event_store.errors import LogUnreadable
from event_store.kafka.reading import last_record
from event_store.records import START, Checkpoint

KEY = b"relay"


class RelayCheckpoint(msgspec.Struct, frozen=True):
    """Written with the records that it counts, in one transaction."""

    log: str  # the log's identity
    position: int  # of the last event published
    event: str  # RecordedEvent.identity of it
    sequences: Mapping[str, int]  # the last sequence of each partition, by `place`

    @property
    def checkpoint(self) -> Checkpoint:
        """Without the rest."""
        return Checkpoint(self.position, self.event) if self.position else START


def place(partition: TopicPartition) -> str:
    """A partition's name in `RelayCheckpoint.sequences`."""
    return f"{partition.topic}/{partition.partition}"


def sequences_of(checkpoint: RelayCheckpoint) -> dict[TopicPartition, int]:
    """The last sequence of each partition."""
    named = {name.rpartition("/"): sequence for name, sequence in checkpoint.sequences.items()}
    return {TopicPartition(topic, int(number)): sequence for (topic, _, number), sequence in named.items()}


def read_checkpoint(consumer: KafkaConsumer, topic: str) -> RelayCheckpoint | None:
    """The relay's last; None before its first. KafkaUnavailable, LogUnreadable."""
    record = last_record(consumer, topic)
    if record is None:
        return None
    try:
        return msgspec.json.decode(record.value or b"", type=RelayCheckpoint)
    except msgspec.MsgspecError as error:
        raise LogUnreadable(
            f"{topic}: no checkpoint of the relay at offset {record.offset}: {error}"
        ) from error
