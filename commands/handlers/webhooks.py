"""Commands on the endpoints that get events sent as webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from aggregates.webhooks import endpoints
from aggregates.webhooks.endpoints import MAIN_WEBHOOKS, Endpoints
from aggregates.webhooks.events import (
    DisabledCause,
    EndpointChanged,
    EndpointRegistered,
    Ordering,
    WebhookEvent,
)
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEndpoint:
    """Have events sent to an address from now on, or from a position on. `head`: the log's last."""

    name: ClassVar = "register_webhook_endpoint"
    personal: ClassVar = ("url", "secret")
    endpoint_id: str
    url: str
    secret: str
    events: tuple[str, ...]
    ordering: Ordering
    description: str
    from_position: int | None
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEndpoint:
    """Give an endpoint these settings."""

    name: ClassVar = "change_webhook_endpoint"
    personal: ClassVar = ("url",)
    endpoint_id: str
    url: str
    events: tuple[str, ...]
    ordering: Ordering
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableEndpoint:
    """Send nothing there until it is enabled."""

    name: ClassVar = "disable_webhook_endpoint"
    endpoint_id: str
    cause: DisabledCause
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableEndpoint:
    """Send there again, from where it stood."""

    name: ClassVar = "enable_webhook_endpoint"
    endpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEndpoint:
    """Send nothing there ever again."""

    name: ClassVar = "delete_webhook_endpoint"
    endpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    """Sign with another secret, and until `at + overlap` with the one before as well."""

    name: ClassVar = "rotate_webhook_secret"
    personal: ClassVar = ("secret",)
    endpoint_id: str
    secret: str
    at: datetime
    overlap_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayEndpoint:
    """Send all from a position on once more. `head`: the log's last."""

    name: ClassVar = "replay_webhook_endpoint"
    endpoint_id: str
    from_position: int
    head: int


def handle_register_endpoint(cache: StateCache, command: RegisterEndpoint) -> Decision:
    """Registers it."""
    registered = EndpointRegistered(
        endpoint_id=command.endpoint_id,
        url=command.url,
        secret=command.secret,
        events=command.events,
        ordering=command.ordering,
        description=command.description,
        from_position=command.from_position,
    )
    decided = endpoints.register(_state(cache), registered=registered, head=command.head)
    decision = _decision(command.endpoint_id, decided)
    decision.created = bool(decided)
    return decision


def handle_change_endpoint(cache: StateCache, command: ChangeEndpoint) -> Decision:
    """Changes it."""
    changed = EndpointChanged(
        endpoint_id=command.endpoint_id,
        url=command.url,
        events=command.events,
        ordering=command.ordering,
        description=command.description,
    )
    return _decision(command.endpoint_id, endpoints.change(_state(cache), changed=changed))


def handle_disable_endpoint(cache: StateCache, command: DisableEndpoint) -> Decision:
    """Disables it."""
    endpoint_id, cause, detail = command.endpoint_id, command.cause, command.detail
    decided = endpoints.disable(_state(cache), endpoint_id=endpoint_id, cause=cause, detail=detail)
    return _decision(endpoint_id, decided)


def handle_enable_endpoint(cache: StateCache, command: EnableEndpoint) -> Decision:
    """Enables it."""
    endpoint_id = command.endpoint_id
    return _decision(endpoint_id, endpoints.enable(_state(cache), endpoint_id=endpoint_id))


def handle_delete_endpoint(cache: StateCache, command: DeleteEndpoint) -> Decision:
    """Deletes it; one that is not there is deleted already."""
    endpoint_id = command.endpoint_id
    return _decision(endpoint_id, endpoints.delete(_state(cache), endpoint_id=endpoint_id))


def handle_rotate_secret(cache: StateCache, command: RotateSecret) -> Decision:
    """Rotates it."""
    endpoint_id, secret, at = command.endpoint_id, command.secret, command.at
    overlap = timedelta(seconds=command.overlap_seconds)
    decided = endpoints.rotate(_state(cache), endpoint_id=endpoint_id, secret=secret, at=at, overlap=overlap)
    return _decision(endpoint_id, decided)


def handle_replay_endpoint(cache: StateCache, command: ReplayEndpoint) -> Decision:
    """Requests it."""
    endpoint_id, position, head = command.endpoint_id, command.from_position, command.head
    decided = endpoints.replay(_state(cache), endpoint_id=endpoint_id, from_position=position, head=head)
    return _decision(endpoint_id, decided)


def _state(cache: StateCache) -> Endpoints:
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    return state


def _decision(endpoint_id: str, decided: tuple[WebhookEvent, ...]) -> Decision:
    decision = Decision(id=endpoint_id, stream=MAIN_WEBHOOKS)
    decision.add(MAIN_WEBHOOKS, decided)
    return decision


HANDLERS: Handlers = {
    RegisterEndpoint: handle_register_endpoint,
    ChangeEndpoint: handle_change_endpoint,
    DisableEndpoint: handle_disable_endpoint,
    EnableEndpoint: handle_enable_endpoint,
    DeleteEndpoint: handle_delete_endpoint,
    RotateSecret: handle_rotate_secret,
    ReplayEndpoint: handle_replay_endpoint,
}
