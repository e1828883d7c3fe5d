"""What is sent: an event of the log as a CloudEvent, and its headers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

import msgspec

from event_store.cloud_events import SOURCE, CloudEvent, cloud_event
from event_store.codec import Codec
from event_store.records import RecordedEvent

MEDIA_TYPE = "application/cloudevents+json"
PING = "webhooks.ping"
"""The type of what tries an endpoint; no event of the log."""

HEADERS = {"Content-Type": MEDIA_TYPE, "User-Agent": "Daybook-Webhooks/1", "Accept": "*/*"}


def message_id(recorded: RecordedEvent) -> str:
    """The same whenever the event is sent, and another's in any other history of the log."""
    return f"evt_{recorded.identity}"


def body_of(codec: Codec, recorded: RecordedEvent) -> bytes:
    """The CloudEvent; personal fields are null. Raises UnknownEvent, DecodingFailed."""
    return msgspec.json.encode(cloud_event(codec, recorded))


def ping(endpoint_id: str, at: datetime) -> tuple[str, bytes]:
    """Id and body of a message that tells nothing."""
    ping_id = f"ping_{uuid4().hex}"
    event = {
        "specversion": CloudEvent.__struct_defaults__[0],
        "id": ping_id,
        "source": SOURCE,
        "type": PING,
        "time": at,
        "subject": endpoint_id,
        "datacontenttype": "application/json",
        "data": {"endpoint_id": endpoint_id},
    }
    return ping_id, msgspec.json.encode(event)


def matches(events: Iterable[str], name: str) -> bool:
    """Whether an endpoint that chose these gets events of this stored name."""
    return any(
        chosen in {"*", name} or (chosen.endswith(".*") and name.startswith(chosen[:-1])) for chosen in events
    )


def exact_names(events: Iterable[str]) -> list[str] | None:
    """The stored names, where only such were chosen; else None."""
    names = list(events)
    return None if any(name.endswith("*") for name in names) else names
