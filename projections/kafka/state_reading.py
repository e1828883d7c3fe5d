"""What a compacted topic holds now: each key's last record. So a consumer has a view's present state."""

from __future__ import annotations

from time import monotonic

import msgspec
from kafka import KafkaConsumer

from event_store.errors import LogUnreadable
from event_store.kafka.errors import KafkaUnavailable, kafka_errors_are_typed
from event_store.kafka.reading import ends
from event_store.kafka.transactions import ANSWER_SECONDS_MAX
from event_store.records import Checkpoint

CHECKPOINT_KEY = b""
"""No document has it. Its record says how far the documents before it are."""


def read_table(consumer: KafkaConsumer, topic: str) -> dict[bytes, bytes]:
    """By key what was written there last, tombstones left out. KafkaTopicMissing, KafkaUnavailable."""
    until = ends(consumer, [topic])
    found: dict[bytes, bytes] = {}
    with kafka_errors_are_typed():
        consumer.assign(list(until))
        for place, begin in consumer.beginning_offsets(list(until)).items():
            consumer.seek(place, begin)
        deadline = monotonic() + ANSWER_SECONDS_MAX
        while any(consumer.position(place) < end for place, end in until.items()):
            for records in consumer.poll(timeout_ms=200).values():
                deadline = monotonic() + ANSWER_SECONDS_MAX
                for record in records:
                    if record.value is None:
                        found.pop(record.key, None)
                    else:
                        found[record.key] = record.value
            if monotonic() > deadline:
                raise KafkaUnavailable(f"Kafka: {topic} was not read to its end in time")
    return found


def checkpoint_value(checkpoint: Checkpoint) -> bytes:
    """As it lies there: JSON with `position` and `event`, that event's identity."""
    return msgspec.json.encode({"position": checkpoint.position, "event": checkpoint.event})


def checkpoint_in(value: bytes | None) -> Checkpoint:
    """LogUnreadable where it is none."""
    try:
        return msgspec.json.decode(value or b"", type=Checkpoint)
    except msgspec.MsgspecError as error:
        raise LogUnreadable(f"no checkpoint: {error}") from error
