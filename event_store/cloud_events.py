"""The log's events as CloudEvents 1.0, personal data left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from event_store.codec import Codec
from event_store.records import RecordedEvent

SOURCE = "/daybook"
"""What wrote the events (CloudEvents `source`): one log, one merchant."""


def schema_id(name: str, number: int) -> str:
    """What the schema of an event's data is called, wherever it lies (CloudEvents `dataschema`)."""
    return f"urn:daybook:event:{name}:{number}"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `source` and `id` together are unique; `subject` is what the stream is about.

    Beside the standard's attributes: `position` in the log, `stream` and `streamversion`, `recordedat`
    (`time` is when it was true), `correlation` (a W3C trace id), and the number of the data's schema:
    the present one of its type, whatever it was stored in.
    """

    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: str
    time: datetime
    subject: str
    datacontenttype: str = "application/json"
    dataschema: str
    position: int
    stream: str
    streamversion: int
    recordedat: datetime
    schemanumber: int
    correlation: str | msgspec.UnsetType = msgspec.UNSET
    data: dict[str, Any]


def cloud_event(codec: Codec, recorded: RecordedEvent) -> CloudEvent:
    """The event as everyone may see it: personal fields are null."""
    number = codec.present_number(recorded)
    return CloudEvent(
        id=str(recorded.position),
        type=recorded.type,
        time=recorded.valid_at,
        subject=recorded.stream.partition("-")[2],
        dataschema=schema_id(recorded.type, number),
        position=recorded.position,
        stream=recorded.stream,
        streamversion=recorded.version,
        recordedat=recorded.recorded_at,
        schemanumber=number,
        correlation=msgspec.UNSET if recorded.correlation is None else recorded.correlation,
        data=codec.decode_public_json(recorded),
    )
