"""`/api/v1/events`: the log as CloudEvents, in order, as pages, batches, lines or an event stream.

The query process includes `events_router(...)` in the query API's application, which knows nothing of the
log:

    broadcast = Broadcast(log, stopping=lambda: server.should_exit)
    app.include_router(events_router(log, Codec(EVENT_TYPES), broadcast, operator_token=token))

`log` is opened read-only. `stopping` is called every second: an event stream ends by itself when it returns
True, so that a server that waits for its connections to end can stop.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from deploy.edge.event_streams import EVENT_STREAM, EventStream
from deploy.edge.openapi import OPERATOR_TOKEN
from deploy.edge.problems import MEDIA_TYPE, SCHEMA, TOO_MANY_LISTENERS, ProblemError, problem
from deploy.edge.requests import entity_tag, is_known, is_operator, token_required
from event_store.cloud_events import CloudEvent, cloud_event
from event_store.codec import Codec
from event_store.errors import AnotherHistory, LogGap, StoreUnavailable
from event_store.records import Checkpoint
from event_store.selection import SelectiveReader
from replays.feed.broadcast import Broadcast, TooManySubscribers
from replays.feed.feed import BeyondHead, FeedPage, read_page
from replays.feed.feed_parameters import PARAMETERS
from replays.feed.feed_request import BATCH, LINES, PAGE, FeedRequest, feed_request_of
from replays.feed.json_lines import json_lines
from replays.feed.problems import (
    ANOTHER_HISTORY,
    ANOTHER_LOG,
    BEYOND_HEAD,
    LOG_DAMAGED,
    STORE_UNAVAILABLE,
)
from replays.feed.server_sent_events import server_sent_events

EXAMPLES = Path(__file__).with_name("examples.json")
"""For the document of the application that includes the router."""

READERS = 4
"""Threads that read the log for those who ask for pages, or have to catch up."""

_LATER = {"Retry-After": "5"}
_VARY = "Accept, Authorization"


class EventsAnswer(msgspec.Struct, frozen=True):
    """A page of the log; `next` is the last position looked at: the `after` of the next request."""

    events: list[CloudEvent]
    next: int


def events_router(
    log: SelectiveReader,
    codec: Codec,
    broadcast: Broadcast,
    *,
    operator_token: str | None = None,
    heartbeat_seconds: float = 15.0,
) -> APIRouter:
    """The route, to be included in an application. With `operator_token` set it asks for it as a bearer.

    Its event streams and its lines take places among the subscribers of `broadcast`.
    """
    router = APIRouter(tags=["events"])
    threads = ThreadPoolExecutor(READERS, "events")

    @router.get(
        "/api/v1/events",
        summary="The log, in order, without personal data",
        dependencies=[Depends(OPERATOR_TOKEN)],
        **_DOCUMENTED,
    )
    async def events(request: Request) -> Response:
        with ExitStack() as place:
            try:
                if not is_operator(request.headers, operator_token):
                    raise token_required()
                wanted = feed_request_of(request)
                if wanted.form in {LINES, EVENT_STREAM}:
                    place.enter_context(broadcast.admitted())
                loop = asyncio.get_running_loop()
                log_id, page = await loop.run_in_executor(threads, _first_page, log, wanted)
            except ProblemError as error:
                return error.response()
            except TooManySubscribers:
                return problem(TOO_MANY_LISTENERS, headers=_LATER)
            except StoreUnavailable:
                return problem(STORE_UNAVAILABLE)
            except LogGap as gap:
                return problem(LOG_DAMAGED, str(gap))
            if wanted.form in {PAGE, BATCH}:
                # Where it was read: a large page takes the loop's other callers tens of milliseconds to make.
                return await loop.run_in_executor(threads, _page, request, codec, page, log_id, wanted.form)
            if wanted.form == LINES:
                messages = json_lines(
                    log, codec, threads, first=page, wanted=wanted, stopping=broadcast.stopping
                )
            else:
                messages = server_sent_events(
                    log,
                    codec,
                    broadcast,
                    threads,
                    first=page,
                    wanted=wanted,
                    heartbeat_seconds=heartbeat_seconds,
                )
            headers = {**_standing(page, log_id), "Vary": _VARY}
            return EventStream(messages, place.pop_all(), headers, wanted.form)

    return router


def _first_page(log: SelectiveReader, wanted: FeedRequest) -> tuple[str, FeedPage]:
    """The log's id, and what was asked for. Raises ProblemError where the asker has read something else."""
    log_id = log.log_id()
    facts: dict[str, Any] = {"log": log_id, "head": log.head()}
    if wanted.log not in {None, log_id}:
        raise ProblemError(ANOTHER_LOG, f"This log is {log_id}, not {wanted.log}.", **facts)
    seen = None if wanted.event is None else Checkpoint(wanted.after, wanted.event)
    try:
        page = read_page(
            log, after=wanted.after, limit=wanted.page_limit, selection=wanted.selection, seen=seen
        )
    except BeyondHead as beyond:
        raise ProblemError(BEYOND_HEAD, str(beyond), **facts | {"head": beyond.head}) from beyond
    except AnotherHistory as another:
        raise ProblemError(ANOTHER_HISTORY, f"{another}.", **facts) from another
    return log_id, page


def _standing(page: FeedPage, log_id: str) -> dict[str, str]:
    """Which log was read, how far it reaches, and what stands at the page's `next`."""
    headers = {"Daybook-Log": log_id, "Daybook-View-Position": str(page.head)}
    if page.seen is not None and page.seen.event:
        headers["Daybook-Event"] = page.seen.event
    return headers


def _page(request: Request, codec: Codec, page: FeedPage, log_id: str, form: str) -> Response:
    events = [cloud_event(codec, recorded) for recorded in page.events]
    body = msgspec.json.encode(events if form == BATCH else EventsAnswer(events=events, next=page.next))
    headers = {
        **_standing(page, log_id),
        "Daybook-Next": str(page.next),
        "ETag": entity_tag(body),
        "Cache-Control": "private, no-cache",
        "Vary": _VARY,
    }
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, form)


def _documented() -> dict[str, Any]:
    _, components = msgspec.json.schema_components([CloudEvent])
    event = components["CloudEvent"]
    answer = {
        "title": "EventsAnswer",
        "type": "object",
        "required": ["events", "next"],
        "properties": {
            "events": {"type": "array", "items": event},
            "next": {"type": "integer", "minimum": 0},
        },
    }
    headers = {
        "Daybook-View-Position": {"description": "The log's head.", "schema": {"type": "integer"}},
        "Daybook-Next": {"description": "As `next`, of a page or a batch.", "schema": {"type": "integer"}},
        "Daybook-Log": {"description": "The log's id, for `log`.", "schema": {"type": "string"}},
        "Daybook-Event": {"description": "What stands at `next`, for `event`.", "schema": {"type": "string"}},
        "ETag": {"schema": {"type": "string"}},
    }
    responses: dict[int, dict[str, Any]] = {
        200: {
            "description": "A page of events, a batch of them, lines to the head, or an event stream",
            "headers": headers,
            "content": {
                PAGE: {"schema": answer},
                BATCH: {"schema": {"type": "array", "items": event}},
                LINES: {"schema": {"type": "string", "description": "A CloudEvent a line."}},
                EVENT_STREAM: {"schema": {"type": "string"}},
            },
        },
        304: {"description": "Nothing changed since the answer of this ETag"},
    }
    for status, description in {
        400: "Bad request",
        401: "Operators only",
        406: "No such form",
        409: "Another log, another history, or a position beyond the head",
        500: "Damage",
        503: "Away",
    }.items():
        responses[status] = {
            "description": description,
            "content": {MEDIA_TYPE: {"schema": SCHEMA}},
        }
    return {
        "response_model": None,
        "responses": responses,
        "openapi_extra": {"parameters": PARAMETERS},
    }


_DOCUMENTED = _documented()
