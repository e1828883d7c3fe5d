"""What a request to the event feed asks for, read from its query and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from starlette.requests import Request

from aggregates.folds import KINDS
from deploy.edge.event_streams import EVENT_STREAM
from deploy.edge.problems import UNKNOWN_PARAMETER, ProblemError
from event_store.errors import InvalidEntry
from event_store.limits import check_names
from event_store.selection import Selection
from replays.feed.feed_parameters import LIMIT_DEFAULT, LIMIT_MAX, PARAMETERS, POSITION_MAX, TYPE_NAMES
from replays.feed.negotiation import negotiated
from replays.feed.problems import INVALID_PARAMETER, NOT_ACCEPTABLE, UNKNOWN_EVENT_TYPE
from replays.order.moments import parse_time

PAGE = "application/json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
FORMS = (PAGE, BATCH, LINES, EVENT_STREAM)
"""In the order in which they are chosen where the asker has no wish."""

LINES_AT_ONCE = 250
"""Events that are read for lines, and may wait in memory for a slow client."""

_NAMES = tuple(one["name"] for one in PARAMETERS if one["in"] == "query")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IDENTITY = re.compile(r"[0-9a-fA-F]{32}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """A valid request."""

    form: str  # one of FORMS
    after: int
    selection: Selection
    limit: int | None  # None: no other end than the head
    log: str | None = None  # that the asker has read
    event: str | None = None  # that stood at `after`

    @property
    def page_limit(self) -> int:
        """How many events are read at once."""
        return self.limit or LINES_AT_ONCE


def feed_request_of(request: Request) -> FeedRequest:
    """What the request asks for; raises ProblemError for what this route does not know."""
    given = _once_each(request)
    form = negotiated(request.headers.get("accept", ""), FORMS)
    if form is None:
        detail = f"There are {', '.join(FORMS)}."
        raise ProblemError(NOT_ACCEPTABLE, detail, offered=list(FORMS))
    text = request.headers.get("last-event-id", "")
    last_event_id = {"Last-Event-ID": text} if text else {}
    after = _number(given, "after", least=0, most=POSITION_MAX, default=0)
    seen_last = _number(last_event_id, "Last-Event-ID", least=0, most=POSITION_MAX, default=after)
    limit = _number(given, "limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    if form == EVENT_STREAM and "recorded_to" in given:
        detail = "An event stream has no end: leave recorded_to out, or ask for another form."
        raise ProblemError(INVALID_PARAMETER, detail, parameter="recorded_to")
    event = _matching(given, "event", _IDENTITY, "32 hex digits, as Daybook-Event names them")
    return FeedRequest(
        form=form,
        after=seen_last,
        selection=_selection(given),
        limit=None if form == LINES and "limit" not in given else limit,
        log=_matching(given, "log", _UUID, "a UUID, as Daybook-Log names it"),
        event=event if seen_last == after else None,
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


def _selection(given: Mapping[str, str]) -> Selection:
    moments = {name: _moment(given, name) for name in _NAMES if name.endswith(("_from", "_to"))}
    for kind in ("recorded", "valid"):
        first, end = moments[f"{kind}_from"], moments[f"{kind}_to"]
        if first is not None and end is not None and first >= end:
            detail = f"{kind}_from is to be before {kind}_to."
            raise ProblemError(INVALID_PARAMETER, detail, parameter=f"{kind}_from")
    return Selection(types=_types(given.get("types", "")), streams=_streams(given), **moments)


def _types(text: str) -> frozenset[str] | None:
    types = frozenset(name.strip() for name in text.split(",") if name.strip())
    for name in sorted(types - TYPE_NAMES):
        raise ProblemError(UNKNOWN_EVENT_TYPE, f"There is no event type {name!r}.", event_type=name)
    return types or None


def _streams(given: Mapping[str, str]) -> frozenset[str] | None:
    """A subject is that of one stream of each kind."""
    stream, subject = _name(given, "stream"), _name(given, "subject")
    if subject is None:
        return None if stream is None else frozenset({stream})
    streams = frozenset(f"{kind}-{subject}" for kind in KINDS)
    return streams if stream is None else streams & {stream}


def _name(given: Mapping[str, str], name: str) -> str | None:
    text = given.get(name)
    if text is not None:
        try:
            check_names([text])
        except InvalidEntry:
            detail = f"{name} is to be a name of 1 to 255 characters."
            raise ProblemError(INVALID_PARAMETER, detail, parameter=name) from None
    return text


def _moment(given: Mapping[str, str], name: str) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC)
        return parse_time(text)
    except ValueError as error:
        raise ProblemError(INVALID_PARAMETER, f"{name}: {error}.", parameter=name) from None
