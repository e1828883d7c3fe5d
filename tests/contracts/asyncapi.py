"""The AsyncAPI 3.0 document: where events can be listened to, and what each message is.

Made from the event types, the CloudEvent and the topics' file. Each message refers to the schema of its data,
which lies beside the document, in the repository as on the server.
"""

from __future__ import annotations

from typing import Any

import msgspec

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import EventType
from event_store.cloud_events import SOURCE, CloudEvent, schema_id
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from replays.contracts.files import ASYNCAPI, schema_file
from tests.contracts import state_topics
from tests.contracts.event_schemas import PLAIN, SCHEMA_FORMAT, Schema, as_text, meaning

Document = dict[str, Any]

EVERYTHING = "events"
FEED = "/api/v1/events"


_INTEGER = {"type": "string", "pattern": "^[0-9]+$"}
HEADERS: dict[str, Schema] = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_source": {"const": SOURCE},
    "ce_id": {**_INTEGER, "description": "The position: unique in the log."},
    "ce_type": {**PLAIN["text"], "description": "The event's stored name."},
    "ce_time": {**PLAIN["time"], "description": "When it was true."},
    "ce_subject": {**PLAIN["text"], "description": "What the stream is about."},
    "ce_dataschema": {**PLAIN["text"], "description": "The `$id` of the schema of the data."},
    "ce_schemanumber": {**_INTEGER, "description": "Its number."},
    "ce_position": {**_INTEGER, "description": "In the log, from 1 without gaps."},
    "ce_sequence": {**_INTEGER, "description": "In the partition, from 1 without gaps."},
    "ce_stream": {**PLAIN["text"], "description": "The record's key as well."},
    "ce_streamversion": {**_INTEGER, "description": "In the stream, from 1 without gaps."},
    "ce_recordedat": {**PLAIN["time"], "description": "When the log took it."},
    "ce_commandid": {**PLAIN["text"], "description": "Of the command that it came of: a UUID."},
    "ce_correlation": {**PLAIN["text"], "description": "A W3C trace id."},
}
"""Of each record in a topic of events; the correlation where there is one."""

_HEADERS_SCHEMA: Schema = {
    "description": "The attributes of CloudEvents 1.0 in binary mode, as UTF-8 text.",
    "type": "object",
    "properties": HEADERS,
    "required": [name for name in HEADERS if name != "ce_correlation"],
}


def asyncapi_document() -> Document:
    """The whole document."""
    topics = Topics(KafkaSettings.model_fields["topic_prefix"].default)
    contexts = [name for name in topics.declared.events if name != EVERYTHING]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Daybook events",
            "version": "1",
            "description": "Everything that happens in the shop, in the order in which it was recorded."
            " Personal fields are null. What may change in a schema: docs/contracts.md.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "query": {"host": "localhost:8001", "protocol": "http", "description": "The query process."},
            "kafka": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "The broker that DAYBOOK_KAFKA_BOOTSTRAP names. Read committed.",
            },
        },
        "channels": {
            "feed": _feed(),
            EVERYTHING: _topic(topics, EVERYTHING, "Every event, in the log's order."),
            **{
                context: _topic(topics, context, f"The events of {context}, in order by stream.")
                for context in contexts
            },
            **state_topics.channels(topics.prefix),
        },
        "operations": {
            "sendFeed": _sending("feed", "Events over HTTP: pages, a batch, NDJSON, or as they come."),
            "sendEvents": _sending(EVERYTHING, "The relay publishes every event, once and in order."),
            **{
                f"send{context.capitalize()}": _sending(context, f"The relay publishes what is of {context}.")
                for context in contexts
            },
            "sendState": _sending("state", "The projector says which version of a view is read."),
            **{
                f"sendState{view.capitalize()}": _sending(f"state.{view}", f"The view {view} is kept there.")
                for view in state_topics.DOCUMENTS
            },
        },
        "components": {
            "messages": {
                **{one.name: _record(one) for one in EVENT_TYPES},
                **{_structured_name(one): _structured(one) for one in EVENT_TYPES},
                **state_topics.messages(),
            },
            "schemas": {
                "CloudEvent": {"schemaFormat": SCHEMA_FORMAT, "schema": _cloud_event()},
                "KafkaHeaders": {"schemaFormat": SCHEMA_FORMAT, "schema": _HEADERS_SCHEMA},
                **state_topics.shapes_of_documents(),
            },
        },
    }


def write() -> None:
    """Writes the document."""
    ASYNCAPI.write_text(as_text(asyncapi_document()), encoding="utf-8")


def _feed() -> Document:
    return {
        "address": FEED,
        "title": "The log over HTTP",
        "description": "As `Accept` asks: `text/event-stream` (each message one CloudEvent),"
        " `application/x-ndjson` (a line each), `application/cloudevents-batch+json`, or `application/json`.",
        "servers": [{"$ref": "#/servers/query"}],
        "messages": {
            one.name: {"$ref": f"#/components/messages/{_structured_name(one)}"} for one in EVENT_TYPES
        },
        "bindings": {"http": {}},
    }


def _topic(topics: Topics, name: str, description: str) -> Document:
    address = topics.prefix + name
    event_types = [one for one in EVENT_TYPES if address in {topics.events, topics.of(one.name)}]
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {one.name: {"$ref": f"#/components/messages/{one.name}"} for one in event_types},
        "bindings": {"kafka": {"topic": address, "partitions": topics.declared.events[name].partitions}},
    }


def _sending(channel: str, summary: str) -> Document:
    return {"action": "send", "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _structured_name(event_type: EventType) -> str:
    return f"{event_type.name}.structured"


def _record(event_type: EventType) -> Document:
    """The event as a record of a topic."""
    return {
        **_told(event_type),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/KafkaHeaders"},
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": _file(event_type)}},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The stream."}}},
    }


def _structured(event_type: EventType) -> Document:
    """The event as one CloudEvent in JSON."""
    own = {
        "properties": {
            "type": {"const": event_type.name},
            "dataschema": {"const": schema_id(event_type.name, event_type.schema_number)},
            "schemanumber": {"const": event_type.schema_number},
            "data": {"$ref": _file(event_type)},
        }
    }
    return {
        **_told(event_type),
        "contentType": "application/cloudevents+json",
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"allOf": [{"$ref": "#/components/schemas/CloudEvent/schema"}, own]},
        },
    }


def _told(event_type: EventType) -> Document:
    return {
        "name": event_type.name,
        "title": event_type.name,
        "summary": meaning(event_type.cls),
    }


def _file(event_type: EventType) -> str:
    file = schema_file(event_type.name, event_type.schema_number)
    return file.relative_to(ASYNCAPI.parent).as_posix()


def _cloud_event() -> Schema:
    _, components = msgspec.json.schema_components([CloudEvent])
    schema: Schema = components[CloudEvent.__name__]
    times = dict.fromkeys(("time", "recordedat"), PLAIN["time"])
    return {**schema, "properties": schema["properties"] | times}
