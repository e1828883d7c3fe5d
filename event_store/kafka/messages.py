"""An event as a Kafka record: a CloudEvent 1.0 in binary mode, and back.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from event_store.cloud_events import SOURCE, schema_id
from event_store.codec import Codec
from event_store.errors import LogUnreadable
from event_store.kafka.batches import varint, with_length
from event_store.records import RecordedEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_encode = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """An event's record, encoded but for its place; `sequenced` completes it."""

    key: bytes  # the stream, UTF-8
    body: bytes
    timestamp_ms: int  # when the event was recorded


class MessageEncoder:
    """Makes records of events."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._of_type: dict[tuple[str, int], bytes] = {}

    def message(self, recorded: RecordedEvent) -> Message:
        """The event as everyone may see it. UnknownEvent; DecodingFailed where it holds what must not be seen
        and cannot be left out."""
        number, value = self._codec.encode_public(recorded)
        of_type = self._of_type.get((recorded.type, number))
        if of_type is None:
            of_type = self._of_type[recorded.type, number] = _headers_of_type(recorded.type, number)
        stream = recorded.stream.encode()
        position, key = with_length(b"%d" % recorded.position), with_length(stream)
        body = b"".join(
            (
                key,
                with_length(value),
                _COUNT_WITH_CORRELATION if recorded.correlation else _COUNT,
                of_type,
                _ID,
                position,
                _TIME,
                with_length(_encode(recorded.valid_at)[1:-1]),
                _SUBJECT,
                with_length(stream.partition(b"-")[2]),
                _POSITION,
                position,
                _STREAM,
                key,
                _STREAM_VERSION,
                with_length(b"%d" % recorded.version),
                _RECORDED_AT,
                with_length(_encode(recorded.recorded_at)[1:-1]),
                _COMMAND_ID,
                with_length(str(recorded.command_id).encode()),
                _CORRELATION + with_length(recorded.correlation.encode()) if recorded.correlation else b"",
            )
        )
        return Message(stream, body, (recorded.recorded_at - _EPOCH) // _MILLISECOND)


def sequenced(body: bytes, sequence: int) -> bytes:
    """A message's body as the `sequence`th record of its partition, from 1."""
    return body + _SEQUENCE + with_length(b"%d" % sequence)


def recorded_event(record: Any) -> RecordedEvent:
    """The event that a record holds, but for what is not published: who acted, what caused it, and personal
    fields, which are null.

    LogUnreadable where the record is not what the relay writes.
    """
    headers: dict[str, bytes] = dict(record.headers)
    try:
        correlation = headers.get("ce_correlation")
        return RecordedEvent(
            position=int(headers["ce_position"]),
            stream=headers["ce_stream"].decode(),
            version=int(headers["ce_streamversion"]),
            type=headers["ce_type"].decode(),
            schema_number=int(headers["ce_schemanumber"]),
            data=record.value,
            command_id=UUID(headers["ce_commandid"].decode()),
            correlation=None if correlation is None else correlation.decode(),
            causation=None,
            actor="",
            recorded_at=datetime.fromisoformat(headers["ce_recordedat"].decode()),
            valid_at=datetime.fromisoformat(headers["ce_time"].decode()),
        )
    except (LookupError, ValueError, TypeError) as error:
        place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        raise LogUnreadable(f"{place}: no event of the relay: {error}") from error


def position_of(record: Any) -> int:
    """The log's position that a record of the relay bears; LogUnreadable where there is none."""
    return recorded_event(record).position


def _headers_of_type(name: str, number: int) -> bytes:
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_source": SOURCE,
        "ce_type": name,
        "ce_dataschema": schema_id(name, number),
        "ce_schemanumber": str(number),
    }
    assert len(headers) == _OF_TYPE
    return b"".join(with_length(text.encode()) for header in headers.items() for text in header)


_OF_TYPE = 6
(
    _ID,
    _TIME,
    _SUBJECT,
    _POSITION,
    _STREAM,
    _STREAM_VERSION,
    _RECORDED_AT,
    _COMMAND_ID,
    _CORRELATION,
    _SEQUENCE,
) = (
    with_length(b"ce_" + name)
    for name in (
        b"id",
        b"time",
        b"subject",
        b"position",
        b"stream",
        b"streamversion",
        b"recordedat",
        b"commandid",
        b"correlation",
        b"sequence",
    )
)
_COUNT, _COUNT_WITH_CORRELATION = varint(_OF_TYPE + 9), varint(_OF_TYPE + 10)
