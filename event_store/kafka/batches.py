"""Records as they lie in a batch, encoded by ourselves: an event's, once for both topics that it goes to.

What KafkaProducer.send checks and computes for each record takes longer than all else that the relay does.
The format: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecordsBuilder

BATCH_BYTES = 1_000_000
"""What is sent at once to a partition. The checksum, and a round trip, are per batch."""
_MAGIC = 2
_TABLED = 16_384
_NULL = b"\x01"  # -1

Header = tuple[str, bytes | None]


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_VARINTS = [_varint(number) for number in range(_TABLED)]


def varint(number: int) -> bytes:
    """Zigzag, seven bits a byte."""
    return _VARINTS[number] if 0 <= number < _TABLED else _varint(number)


def with_length(value: bytes | None) -> bytes:
    """A key, a value, or a header's name or value."""
    return _NULL if value is None else varint(len(value)) + value


def record_body(key: bytes, value: bytes | None, headers: Sequence[Header]) -> bytes:
    """What of a record does not depend on its place."""
    parts = [with_length(key), with_length(value), varint(len(headers))]
    for name, content in headers:
        parts += (with_length(name.encode()), with_length(content))
    return b"".join(parts)


class Batch:
    """Some records of one partition, in order."""

    def __init__(
        self, partition: TopicPartition, compression: int = DefaultRecordBatchBuilder.CODEC_LZ4
    ) -> None:
        self._records = MemoryRecordsBuilder(_MAGIC, compression, BATCH_BYTES)
        self._builder = self._records._builder
        self._buffer: bytearray = self._builder._buffer
        self._count = 0
        self._first_ms = 0
        self.produced = ProducerBatch(partition, self._records)

    @property
    def is_full(self) -> bool:
        """Whether it is to be sent."""
        return len(self._buffer) >= BATCH_BYTES

    def add(self, timestamp_ms: int, body: bytes) -> None:
        """One more; timestamps do not run backwards."""
        if not self._count:
            self._first_ms = timestamp_ms
        start = b"\0" + varint(timestamp_ms - self._first_ms) + varint(self._count)
        buffer = self._buffer
        buffer += varint(len(start) + len(body))
        buffer += start
        buffer += body
        self._count += 1
        self._last_ms = timestamp_ms

    def end(self) -> None:
        """No more come."""
        builder = self._builder
        builder._first_timestamp, builder._max_timestamp = self._first_ms, self._last_ms
        builder._num_records, builder._last_offset = self._count, self._count - 1
        self._records._next_offset = self._count
        self.produced.created = self.produced.last_attempt = time.monotonic()

    def check(self) -> None:
        """Raises a KafkaError where the broker has not acknowledged it."""
        future = self.produced.produce_future
        if not future.is_done:
            raise KafkaError("a batch was not acknowledged")
        if future.failed():
            raise future.exception
        offset, _, exception_of = future.value
        if exception_of is not None:
            raise exception_of(0)
        if offset == -1:
            raise KafkaError("a batch was not acknowledged")
