"""What can happen to the endpoints that get events sent as webhooks (`webhooks-main`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Ordering = Literal["stream", "none"]
"""Whether an event waits for those before it of its stream, or for none."""

DisabledCause = Literal["operator", "gone", "failing", "another_history"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRegistered:
    """An address outside gets events from the position after this one, or from a given one, signed."""

    endpoint_id: str
    url: str | None  # personal: it may hold a token
    secret: str | None  # personal, `whsec_…`
    events: tuple[str, ...]  # stored names, `<context>.*` or `*`
    ordering: Ordering = "stream"
    description: str = ""
    from_position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChanged:
    """Another address, choice of events or order; all of them, as they are from now on."""

    endpoint_id: str
    url: str | None  # personal
    events: tuple[str, ...]  # stored names, `<context>.*` or `*`
    ordering: Ordering
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDisabled:
    """Nothing more is sent until it is enabled: an operator said so, or it said so itself (`gone`), or it
    failed for too long, or the log is no longer the one that it was sent (`another_history`)."""

    endpoint_id: str
    cause: DisabledCause
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEnabled:
    """It is sent what it was not, from where it stood, without a pause."""

    endpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDeleted:
    """Nothing is sent there any more, and what was not is forgotten."""

    endpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated:
    """Another secret signs; the one before signs as well until `previous_until`."""

    endpoint_id: str
    secret: str | None  # personal, `whsec_…`
    previous_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequested:
    """It is sent all events from this position on, also those that it has had."""

    endpoint_id: str
    from_position: int  # at least 1


WebhookEvent = (
    EndpointRegistered
    | EndpointChanged
    | EndpointDisabled
    | EndpointEnabled
    | EndpointDeleted
    | SecretRotated
    | ReplayRequested
)


def endpoint_subject(event: EndpointRegistered | EndpointChanged | SecretRotated) -> str:
    """Under whose key an endpoint's address and secrets are sealed."""
    return f"webhook_endpoint-{event.endpoint_id}"
