"""An event as a Kafka record is a CloudEvent in binary mode, as the SDK reads it, and comes back whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from kafka import TopicPartition
from kafka.record.memory_records import MemoryRecords

from event_store.errors import LogUnreadable
from event_store.kafka.batches import Batch, record_body
from event_store.kafka.messages import MessageEncoder, recorded_event, sequenced
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from tests.shop.facts import CODEC, EMAIL
from tests.shop.story import Story


class Record(NamedTuple):
    """A record as a consumer gets it, as far as it matters."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def events() -> list[RecordedEvent]:
    """Of a whole story, personal fields included."""
    story = Story(MemoryLog())
    story.whole_story()
    return story.log.read_all(after=0, limit=1_000)


def record_of(event: RecordedEvent) -> Record:
    """As the client's own reader finds it in a batch."""
    message = MessageEncoder(CODEC).message(event)
    (record,) = written([(message.timestamp_ms, sequenced(message.body, 3))])
    assert record.timestamp == message.timestamp_ms
    return Record("events", 0, 7, record.key, record.value, record.headers)


def written(records: Sequence[tuple[int, bytes]]) -> list[Any]:
    batch = Batch(TopicPartition("events", 0))
    for timestamp_ms, body in records:
        batch.add(timestamp_ms, body)
    batch.end()
    batch.produced.records.close()
    (read,) = MemoryRecords(batch.produced.records.buffer())
    assert read.validate_crc()
    return list(read)


def parsed(record: Record) -> Any:
    return from_binary(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())


def test_the_sdk_reads_every_event(events: list[RecordedEvent]) -> None:
    for event in events:
        record = record_of(event)
        cloud_event = parsed(record)
        assert cloud_event.get_specversion() == "1.0"
        assert cloud_event.get_source() == "/daybook"
        assert cloud_event.get_id() == str(event.position) == cloud_event.get_extension("position")
        assert cloud_event.get_type() == event.type
        assert cloud_event.get_time() == event.valid_at
        assert cloud_event.get_subject() == event.stream.partition("-")[2]
        assert cloud_event.get_datacontenttype() == "application/json"
        assert cloud_event.get_data() == CODEC.decode_public_json(event)
        assert cloud_event.get_extension("stream") == event.stream == record.key.decode()
        assert cloud_event.get_extension("streamversion") == str(event.version)
        assert cloud_event.get_extension("sequence") == "3"


def test_what_is_read_back_decodes_to_the_same_event_and_bears_its_identity(
    events: list[RecordedEvent],
) -> None:
    for event in events:
        back = recorded_event(record_of(event))
        assert CODEC.decode(back) == CODEC.decode(event)
        assert back.checkpoint == event.checkpoint
        assert (back.valid_at, back.correlation) == (event.valid_at, event.correlation)


def test_no_personal_field_leaves(events: list[RecordedEvent]) -> None:
    placed = [event for event in events if event.type == "orders.order_placed" and b'"sealed"' in event.data]
    assert placed
    for event in placed:
        record = record_of(event)
        assert msgspec.json.decode(record.value)["email"] is None
        assert b"sealed" not in record.value
        assert EMAIL.encode() not in record.value


def test_a_foreign_record_is_named(events: list[RecordedEvent]) -> None:
    record = record_of(events[0])
    headers = [(name, value) for name, value in record.headers if name != "ce_stream"]
    with pytest.raises(LogUnreadable, match="events, partition 0, offset 7"):
        recorded_event(record._replace(headers=headers))


def test_a_batch_is_read_as_it_was_written() -> None:
    long, numbers = b"x" * 100_000, range(20_000)
    records = [(b"k%d" % number, None if number % 7 == 0 else b"v", [("h", b"")]) for number in numbers]
    records.append((b"", long, [("ümlaut", long), ("none", None)]))
    read = written([(1_000 + 3 * place, record_body(*record)) for place, record in enumerate(records)])
    assert [(one.key, one.value, one.headers) for one in read] == records
    assert [one.offset for one in read] == list(range(len(records)))
    assert [one.timestamp for one in read] == [1_000 + 3 * place for place in range(len(records))]
