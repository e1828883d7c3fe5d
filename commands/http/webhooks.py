"""Routes on the endpoints that get events sent as webhooks."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from aggregates.kernel import Rejected
from aggregates.webhooks.endpoints import UnknownWebhookEndpoint, WebhookUrlUnfit
from commands.codec import CODEC
from commands.handlers.webhooks import (
    ChangeEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    RegisterEndpoint,
    ReplayEndpoint,
    RotateSecret,
)
from commands.http.json_bodies import JsonRoute
from commands.http.requests import operator_only
from commands.http.responses import PROBLEM, answered, documented, outcome, response_of
from commands.http.schemas import AnswerBody, IdPath
from commands.http.webhook_bodies import (
    DeliveryList,
    DisableBody,
    EndpointBody,
    EndpointItem,
    EndpointList,
    NewEndpointBody,
    PingAnswer,
    ReplayBody,
    RotateBody,
    SecretAnswer,
)
from commands.loop.decision import Answer
from commands.webhooks import message, signature
from commands.webhooks.addresses import UrlUnfit
from commands.webhooks.endpoints import WebhookEndpoint, read_endpoints
from commands.webhooks.reading import deliveries_page, found_endpoint, listed_endpoints
from commands.webhooks.sender import Sending
from deploy.edge.requests import parameters_once
from event_store.deliveries import DeliveryState
from event_store.ids import new_id

router = APIRouter(
    route_class=JsonRoute,
    prefix="/api/v1/webhook-endpoints",
    tags=["webhooks"],
    dependencies=[Depends(operator_only)],
)

LIMIT_MAX = 1_000

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items per page.")]
Cursor = Annotated[
    Annotated[str, Field(pattern="^[0-9]{1,18}$")] | SkipJsonSchema[None],
    Query(description="`next` of the page before: goes on after that."),
]
State = Annotated[
    DeliveryState | SkipJsonSchema[None],
    Query(description="Deliveries in this state alone."),
]

_REGISTERED: dict[str, Any] = documented(SecretAnswer, key="taken")
_ROTATED: dict[str, Any] = documented(SecretAnswer, created=False, key="taken")
_CHANGED: dict[str, Any] = documented(AnswerBody, created=False, key="taken")
_READ: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 404, 422, 429, 503), PROBLEM)


@router.post("", summary="Register a webhook endpoint", **_REGISTERED)
async def register_endpoint(request: Request, body: NewEndpointBody) -> Response:
    """Events are sent to it from now on, or from `from_position` on, signed with the answered `secret`, which
    no other route shows. See docs/webhooks.md."""
    command = RegisterEndpoint(
        endpoint_id=new_id(),
        secret=signature.new_secret(),
        from_position=body.from_position,
        head=await _head(request),
        **_settings(request, body),
    )
    return await _with_secret(request, await outcome(request, command))


@router.get("", summary="Webhook endpoints", response_model=EndpointList, responses=_READ)
async def endpoint_list(request: Request) -> Response:
    """All of them, with how far each has come, what is pending, and why one is disabled."""
    parameters_once(request, set())
    items = await asyncio.to_thread(listed_endpoints, request.app.state.log, CODEC)
    return _json({"items": items})


@router.get("/{endpoint_id}", summary="A webhook endpoint", response_model=EndpointItem, responses=_READ)
async def one_endpoint(request: Request, endpoint_id: IdPath) -> Response:
    """Its settings and how it stands; never its secret."""
    parameters_once(request, set())
    found = await asyncio.to_thread(found_endpoint, request.app.state.log, CODEC, endpoint_id)
    if found is None:
        raise Rejected(UnknownWebhookEndpoint(endpoint_id))
    return _json(found)


@router.put("/{endpoint_id}", summary="Change a webhook endpoint", **_CHANGED)
async def change_endpoint(request: Request, endpoint_id: IdPath, body: EndpointBody) -> Response:
    """All of its settings are replaced. What is pending goes to the new address; events that are chosen anew
    are sent from where the log was looked at last."""
    return await answered(request, ChangeEndpoint(endpoint_id=endpoint_id, **_settings(request, body)))


@router.delete("/{endpoint_id}", summary="Delete a webhook endpoint", **_CHANGED)
async def delete_endpoint(request: Request, endpoint_id: IdPath) -> Response:
    """Nothing is sent there any more, and its deliveries are forgotten."""
    return await answered(request, DeleteEndpoint(endpoint_id=endpoint_id))


@router.post("/{endpoint_id}/disable", summary="Disable a webhook endpoint", **_CHANGED)
async def disable_endpoint(
    request: Request, endpoint_id: IdPath, body: DisableBody | None = None
) -> Response:
    """Nothing is sent there until it is enabled; then it goes on from where it stood."""
    reason = (body or DisableBody()).reason
    command = DisableEndpoint(endpoint_id=endpoint_id, cause="operator", detail=reason or "")
    return await answered(request, command)


@router.post("/{endpoint_id}/enable", summary="Enable a webhook endpoint", **_CHANGED)
async def enable_endpoint(request: Request, endpoint_id: IdPath) -> Response:
    """What is pending is attempted at once, as if it was never tried."""
    return await answered(request, EnableEndpoint(endpoint_id=endpoint_id))


@router.post("/{endpoint_id}/replay", summary="Send events once more", **_CHANGED)
async def replay_endpoint(request: Request, endpoint_id: IdPath, body: ReplayBody) -> Response:
    """All from a position on, with the ids that they had. What was not reached yet comes in its turn."""
    command = ReplayEndpoint(
        endpoint_id=endpoint_id, from_position=body.from_position, head=await _head(request)
    )
    return await answered(request, command)


@router.post("/{endpoint_id}/rotate-secret", summary="Rotate a webhook endpoint's secret", **_ROTATED)
async def rotate_secret(request: Request, endpoint_id: IdPath, body: RotateBody | None = None) -> Response:
    """Signs with the answered `secret` from now on, and for a while with the one before as well."""
    command = RotateSecret(
        endpoint_id=endpoint_id,
        secret=signature.new_secret(),
        at=datetime.now(UTC),
        overlap_seconds=(body or RotateBody()).overlap_seconds,
    )
    return await _with_secret(request, await outcome(request, command))


@router.post(
    "/{endpoint_id}/ping",
    summary="Try a webhook endpoint",
    response_model=PingAnswer,
    responses=dict.fromkeys((400, 401, 404, 405, 413, 415, 422, 429, 503), PROBLEM),
)
async def ping_endpoint(request: Request, endpoint_id: IdPath) -> Response:
    """Sends an event of the type `webhooks.ping`, and answers what came of it. It is no event of the log, is
    not tried again, and goes to a disabled endpoint, too."""
    book = await asyncio.to_thread(read_endpoints, request.app.state.log, CODEC)
    endpoint = book.by_id.get(endpoint_id)
    if endpoint is None:
        raise Rejected(UnknownWebhookEndpoint(endpoint_id))
    return _json(await _ping(request.app.state.sending, endpoint))


@router.get(
    "/{endpoint_id}/deliveries",
    summary="Deliveries of webhooks",
    response_model=DeliveryList,
    responses=_READ,
)
async def delivery_list(
    request: Request, endpoint_id: IdPath, limit: Limit = 100, cursor: Cursor = None, state: State = None
) -> Response:
    """The latest positions first, each with its attempts: those of the last `DAYBOOK_WEBHOOK_LOG_DAYS`."""
    parameters_once(request, {"limit", "cursor", "state"})
    log = request.app.state.log
    book = await asyncio.to_thread(read_endpoints, log, CODEC)
    if endpoint_id not in book.by_id:
        raise Rejected(UnknownWebhookEndpoint(endpoint_id))
    before = None if cursor is None else int(cursor)
    page = await asyncio.to_thread(deliveries_page, log, endpoint_id, before=before, state=state, limit=limit)
    return _json(page)


def _settings(request: Request, body: EndpointBody) -> dict[str, Any]:
    """What a command takes of the body. Raises Rejected."""
    sending: Sending = request.app.state.sending
    try:
        url = sending.reach.check_url(body.url)
    except UrlUnfit as unfit:
        raise Rejected(WebhookUrlUnfit("url", str(unfit))) from None
    return {
        "url": url,
        "events": tuple(dict.fromkeys(body.events)),
        "ordering": body.ordering,
        "description": body.description,
    }


async def _head(request: Request) -> int:
    head: int = await asyncio.to_thread(request.app.state.log.head)
    return head


async def _with_secret(request: Request, answer: Answer) -> Response:
    """A repeat gives the secret that the first answer gave: it is read from the log as of that version."""
    log = request.app.state.log
    book = await asyncio.to_thread(read_endpoints, log, CODEC, up_to=answer.version)
    return response_of(answer, secret=book.by_id[answer.id].secret)


async def _ping(sending: Sending, endpoint: WebhookEndpoint) -> dict[str, Any]:
    at, begun = datetime.now(UTC), time.monotonic()
    ping_id, body = message.ping(endpoint.id, at)
    headers = signature.headers_of(ping_id, body, endpoint.secrets(at), at)
    caller = sending.caller(endpoint.url, sending.tls or httpx.create_ssl_context())
    try:
        response = await caller.post({**message.HEADERS, **headers}, body)
    finally:
        await caller.aclose()
    took = int((time.monotonic() - begun) * 1000)
    return {"webhook_id": ping_id, "milliseconds": took, **response._asdict()}


def _json(body: Any) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
