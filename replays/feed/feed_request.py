"""What a request to the event feed asks for, read from its query and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from aggregates.event_types import EVENT_TYPES
from deploy.edge.event_streams import EVENT_STREAM
from deploy.edge.problems import UNKNOWN_PARAMETER, ProblemError
from replays.feed.problems import INVALID_PARAMETER, UNKNOWN_EVENT_TYPE

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
POSITION_MAX = 2**53 - 1  # what every JSON reader holds exactly

_NAMES = ("after", "types", "limit", "log", "event")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IDENTITY = re.compile(r"[0-9a-fA-F]{32}")

TYPE_NAMES = frozenset(event_type.name for event_type in EVENT_TYPES)

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "after",
        "in": "query",
        "description": "A position: events above it are answered. 0, the default, reads from the start.",
        "schema": {"type": "integer", "minimum": 0, "maximum": POSITION_MAX, "default": 0},
    },
    {
        "name": "types",
        "in": "query",
        "description": "Stored event names, comma separated; without them, all.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "string", "enum": sorted(TYPE_NAMES)}},
    },
    {
        "name": "limit",
        "in": "query",
        "description": "The most events in one answer.",
        "schema": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    },
    {
        "name": "log",
        "in": "query",
        "description": "The log that was read, as `Daybook-Log` named it: another one is refused.",
        "schema": {"type": "string", "format": "uuid"},
    },
    {
        "name": "event",
        "in": "query",
        "description": "What stood at `after`, as `Daybook-Event` named it: where the log has another event"
        " there now, after a restore or a failover that lost some, it is refused.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "As `after`, sent by a browser that takes an event stream up again; it wins.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,16}$"},
    },
]
"""The parameters as OpenAPI describes them."""


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """A valid request."""

    after: int
    types: frozenset[str]
    limit: int
    as_stream: bool
    log: str | None = None  # that the asker has read
    event: str | None = None  # that stood at `after`


def feed_request_of(request: Request) -> FeedRequest:
    """What the request asks for; raises ProblemError for what this route does not know."""
    given = _once_each(request)
    as_stream = EVENT_STREAM in request.headers.get("accept", "").lower()
    text = request.headers.get("last-event-id", "")
    last_event_id = {"Last-Event-ID": text} if text else {}
    after = _number(given, "after", least=0, most=POSITION_MAX, default=0)
    seen_last = _number(last_event_id, "Last-Event-ID", least=0, most=POSITION_MAX, default=after)
    taken_up = as_stream and bool(last_event_id)
    return FeedRequest(
        after=seen_last if taken_up else after,
        types=_types(given.get("types", "")),
        limit=_number(given, "limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT),
        as_stream=as_stream,
        log=_matching(given, "log", _UUID, "a UUID, as Daybook-Log names it"),
        event=None
        if taken_up and seen_last != after
        else _matching(given, "event", _IDENTITY, "32 hex digits, as Daybook-Event names them"),
    )


def _once_each(request: Request) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in _NAMES:
            detail = f"There is no parameter {name!r}; there are {', '.join(_NAMES)}."
            raise ProblemError(UNKNOWN_PARAMETER, detail, parameter=name)
        if name in given:
            raise ProblemError(INVALID_PARAMETER, f"{name} is given more than once.", parameter=name)
        given[name] = value
    return given


def _number(given: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,16}", text) and least <= int(text) <= most:
        return int(text)
    detail = f"{name} is to be a whole number from {least} to {most}, not {text!r}."
    raise ProblemError(INVALID_PARAMETER, detail, parameter=name)


def _matching(given: Mapping[str, str], name: str, form: re.Pattern[str], description: str) -> str | None:
    text = given.get(name)
    if text is None or form.fullmatch(text):
        return text and text.lower()
    raise ProblemError(INVALID_PARAMETER, f"{name} is to be {description}.", parameter=name)


def _types(text: str) -> frozenset[str]:
    types = frozenset(name.strip() for name in text.split(",") if name.strip())
    for name in sorted(types - TYPE_NAMES):
        raise ProblemError(UNKNOWN_EVENT_TYPE, f"There is no event type {name!r}.", event_type=name)
    return types
