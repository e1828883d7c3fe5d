"""Commands on the endpoints that get events sent as webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from aggregates.webhooks import endpoints
from aggregates.webhooks.endpoints import MAIN_WEBHOOKS, Endpoints
from aggregates.webhooks.events import DisabledCause, EndpointChanged, EndpointRegistered, Ordering
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
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    decision.add(MAIN_WEBHOOKS, endpoints.register(state, registered=registered, head=command.head))
    decision.created = bool(decision.events)
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
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    decision.add(MAIN_WEBHOOKS, endpoints.change(state, changed=changed))
    return decision


def handle_disable_endpoint(cache: StateCache, command: DisableEndpoint) -> Decision:
    """Disables it."""
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    events = endpoints.disable(
        state, endpoint_id=command.endpoint_id, cause=command.cause, detail=command.detail
    )
    decision.add(MAIN_WEBHOOKS, events)
    return decision


def handle_enable_endpoint(cache: StateCache, command: EnableEndpoint) -> Decision:
    """Enables it."""
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    decision.add(MAIN_WEBHOOKS, endpoints.enable(state, endpoint_id=command.endpoint_id))
    return decision


def handle_delete_endpoint(cache: StateCache, command: DeleteEndpoint) -> Decision:
    """Deletes it; one that is not there is deleted already."""
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    decision.add(MAIN_WEBHOOKS, endpoints.delete(state, endpoint_id=command.endpoint_id))
    return decision


def handle_rotate_secret(cache: StateCache, command: RotateSecret) -> Decision:
    """Rotates it."""
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    events = endpoints.rotate(
        state,
        endpoint_id=command.endpoint_id,
        secret=command.secret,
        at=command.at,
        overlap=timedelta(seconds=command.overlap_seconds),
    )
    decision.add(MAIN_WEBHOOKS, events)
    return decision


def handle_replay_endpoint(cache: StateCache, command: ReplayEndpoint) -> Decision:
    """Requests it."""
    state: Endpoints = cache.state(MAIN_WEBHOOKS)
    decision = Decision(id=command.endpoint_id, stream=MAIN_WEBHOOKS)
    events = endpoints.replay(
        state,
        endpoint_id=command.endpoint_id,
        from_position=command.from_position,
        head=command.head,
    )
    decision.add(MAIN_WEBHOOKS, events)
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
