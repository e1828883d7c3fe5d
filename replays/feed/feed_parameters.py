"""The parameters of the event feed, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from aggregates.event_types import EVENT_TYPES

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
POSITION_MAX = 2**53 - 1  # what every JSON reader holds exactly
NAME_MAX = 255

TYPE_NAMES = frozenset(event_type.name for event_type in EVENT_TYPES)

_NAME = {"type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"}
_MOMENT = {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}


def _in_query(name: str, description: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


PARAMETERS: list[dict[str, Any]] = [
    _in_query(
        "after",
        "A position: events above it are answered. 0, the default, reads from the start.",
        {"type": "integer", "minimum": 0, "maximum": POSITION_MAX, "default": 0},
    ),
    _in_query(
        "types",
        "Stored event names, comma separated; without them, all.",
        {"type": "array", "items": {"type": "string", "enum": sorted(TYPE_NAMES)}},
        style="form",
        explode=False,
    ),
    _in_query("stream", "A stream's name, such as `order-<id>`: its events alone.", _NAME),
    _in_query("subject", "What streams are about, a SKU or an id: the events of all of them.", _NAME),
    _in_query(
        "recorded_from",
        "What the log took at this time or later. A date is its beginning in UTC.",
        _MOMENT,
    ),
    _in_query("recorded_to", "What the log took before this time. Not for an event stream.", _MOMENT),
    _in_query("valid_from", "What was true (`time`) at this time or later.", _MOMENT),
    _in_query("valid_to", "What was true before this time.", _MOMENT),
    _in_query(
        "limit",
        "The most events in one answer. `application/x-ndjson` goes on to the head without it.",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    ),
    _in_query(
        "log",
        "The log that was read, as `Daybook-Log` named it: another one is refused.",
        {"type": "string", "format": "uuid"},
    ),
    _in_query(
        "event",
        "What stood at `after`, as `Daybook-Event` named it: where the log has another event"
        " there now, after a restore or a failover that lost some, it is refused.",
        {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    ),
    {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "As `after`, sent by a browser that takes an event stream up again; it wins.",
        "schema": {"type": "string", "pattern": "^[0-9]{0,16}$"},
    },
]
