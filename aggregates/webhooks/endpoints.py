"""The endpoints that get events sent as webhooks: one stream, as there are few, and decisions on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, assert_never

from aggregates.kernel import Reason, Rejected, StreamKind
from aggregates.webhooks.events import (
    DisabledCause,
    EndpointChanged,
    EndpointDeleted,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRegistered,
    Ordering,
    ReplayRequested,
    SecretRotated,
    WebhookEvent,
)

ENDPOINTS_MAX = 100
"""Each is followed on its own."""


@dataclass(slots=True)
class Endpoint:
    """What is decided on. Its address and secrets are not held here: they stay in the log."""

    events: tuple[str, ...]
    ordering: Ordering
    description: str
    disabled: DisabledCause | None = None
    detail: str = ""  # why, in the words of who disabled it
    previous_until: datetime | None = None  # until when the secret before signs, too


@dataclass(slots=True)
class Endpoints:
    """By id. Deleted ones are gone: their ids are never given again."""

    by_id: dict[str, Endpoint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnknownWebhookEndpoint(Reason):
    """No such webhook endpoint"""

    endpoint_id: str


@dataclass(frozen=True, slots=True)
class TooManyWebhookEndpoints(Reason):
    """There are as many webhook endpoints as there can be"""

    limit: int


@dataclass(frozen=True, slots=True)
class WebhookUrlUnfit(Reason):
    """No webhook is sent to this URL"""

    about: ClassVar[str | None] = "field"

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class PositionBeyondHead(Reason):
    """The log has no event at this position yet"""

    about: ClassVar[str | None] = "from_position"

    position: int
    head: int


def initial() -> Endpoints:
    """Nothing is sent anywhere."""
    return Endpoints()


def evolve(endpoints: Endpoints, event: WebhookEvent) -> Endpoints:
    """The endpoints after the event; changes them in place."""
    by_id = endpoints.by_id
    match event:
        case EndpointRegistered():
            by_id[event.endpoint_id] = Endpoint(event.events, event.ordering, event.description)
        case EndpointDeleted(endpoint_id=endpoint_id):
            del by_id[endpoint_id]
        case EndpointChanged():
            endpoint = by_id[event.endpoint_id]
            endpoint.events, endpoint.ordering = event.events, event.ordering
            endpoint.description = event.description
        case EndpointDisabled(endpoint_id=endpoint_id, cause=cause, detail=detail):
            by_id[endpoint_id].disabled, by_id[endpoint_id].detail = cause, detail
        case EndpointEnabled(endpoint_id=endpoint_id):
            by_id[endpoint_id].disabled, by_id[endpoint_id].detail = None, ""
        case SecretRotated(endpoint_id=endpoint_id, previous_until=until):
            by_id[endpoint_id].previous_until = until
        case ReplayRequested():
            pass
        case _:
            assert_never(event)
    return endpoints


stream = StreamKind("webhooks", initial, evolve)
MAIN_WEBHOOKS = stream("main")
"""The one stream of all endpoints."""


def register(endpoints: Endpoints, *, registered: EndpointRegistered, head: int) -> tuple[WebhookEvent, ...]:
    """Sends events there from now on, or from a position on; `head` is the log's last."""
    if registered.endpoint_id in endpoints.by_id:
        return ()
    if len(endpoints.by_id) >= ENDPOINTS_MAX:
        raise Rejected(TooManyWebhookEndpoints(ENDPOINTS_MAX))
    if registered.from_position is not None:
        _check_position(registered.from_position, head)
    return (registered,)


def change(endpoints: Endpoints, *, changed: EndpointChanged) -> tuple[WebhookEvent, ...]:
    """Gives it these settings. Always said anew: whether the address is another one only the log knows."""
    _find(endpoints, changed.endpoint_id)
    return (changed,)


def disable(
    endpoints: Endpoints, *, endpoint_id: str, cause: DisabledCause, detail: str = ""
) -> tuple[WebhookEvent, ...]:
    """Sends nothing there until it is enabled."""
    if _find(endpoints, endpoint_id).disabled is not None:
        return ()
    return (EndpointDisabled(endpoint_id=endpoint_id, cause=cause, detail=detail),)


def enable(endpoints: Endpoints, *, endpoint_id: str) -> tuple[WebhookEvent, ...]:
    """Sends there again, from where it stood."""
    if _find(endpoints, endpoint_id).disabled is None:
        return ()
    return (EndpointEnabled(endpoint_id=endpoint_id),)


def delete(endpoints: Endpoints, *, endpoint_id: str) -> tuple[WebhookEvent, ...]:
    """Sends nothing there ever again."""
    if endpoint_id not in endpoints.by_id:
        return ()
    return (EndpointDeleted(endpoint_id=endpoint_id),)


def rotate(
    endpoints: Endpoints, *, endpoint_id: str, secret: str, at: datetime, overlap: timedelta
) -> tuple[WebhookEvent, ...]:
    """Signs with another secret, and for a while with the one before as well."""
    _find(endpoints, endpoint_id)
    return (SecretRotated(endpoint_id=endpoint_id, secret=secret, previous_until=at + overlap),)


def replay(
    endpoints: Endpoints, *, endpoint_id: str, from_position: int, head: int
) -> tuple[WebhookEvent, ...]:
    """Sends it all from a position on once more; a disabled one, once it is enabled. `head`: the log's last
    position."""
    _find(endpoints, endpoint_id)
    _check_position(from_position, head)
    return (ReplayRequested(endpoint_id=endpoint_id, from_position=from_position),)


def _find(endpoints: Endpoints, endpoint_id: str) -> Endpoint:
    endpoint = endpoints.by_id.get(endpoint_id)
    if endpoint is None:
        raise Rejected(UnknownWebhookEndpoint(endpoint_id))
    return endpoint


def _check_position(position: int, head: int) -> None:
    if position > head:
        raise Rejected(PositionBeyondHead(position, head))
