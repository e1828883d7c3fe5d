"""The endpoints as they are used: with their addresses and secrets, which the log holds sealed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from aggregates.webhooks.endpoints import MAIN_WEBHOOKS
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
from event_store.codec import Codec
from event_store.records import Checkpoint, EventReader, RecordedEvent


@dataclass(frozen=True, slots=True)
class Disabled:
    """Since when nothing is sent there, and why."""

    cause: DisabledCause
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """One endpoint. `turn`: the version of the last event that says where its log begins, or begins again;
    `replays`: version and position of each of those that name one."""

    id: str
    version: int  # of the stream, at its last event
    url: str
    secret: str
    previous_secret: str | None = None
    previous_until: datetime | None = None
    events: tuple[str, ...]
    ordering: Ordering
    description: str
    disabled: Disabled | None = None
    created_at: datetime
    registered: Checkpoint  # the place of its registration in the log
    turn: int
    replays: tuple[tuple[int, int], ...] = ()

    def secrets(self, at: datetime) -> tuple[str, ...]:
        """Those that sign at that moment, the newest first."""
        if self.previous_secret is None or self.previous_until is None or at >= self.previous_until:
            return (self.secret,)
        return self.secret, self.previous_secret


class EndpointBook:
    """Every endpoint there is, as of a version of their stream; read on from there."""

    def __init__(self, log: EventReader, codec: Codec) -> None:
        self._log = log
        self._codec = codec
        self.version = 0
        self.by_id: dict[str, WebhookEndpoint] = {}

    def read_on(self, *, up_to: int | None = None) -> bool:
        """Takes in what came since, up to a version. Whether there was anything. Raises StoreUnavailable."""
        recorded = self._log.read_stream(MAIN_WEBHOOKS, after_version=self.version)
        if up_to is not None:
            recorded = [event for event in recorded if event.version <= up_to]
        keys = self._keys(recorded)
        for event in recorded:
            self._take(event, self._codec.decode(event, keys))
            self.version = event.version
        return bool(recorded)

    def _keys(self, recorded: Iterable[RecordedEvent]) -> dict[str, bytes]:
        subjects = {subject for event in recorded for subject in self._codec.subjects(event)}
        return self._log.subject_keys(subjects)

    def _take(self, recorded: RecordedEvent, event: WebhookEvent) -> None:
        by_id, version = self.by_id, recorded.version
        match event:
            case EndpointRegistered():
                begins = () if event.from_position is None else ((version, event.from_position),)
                by_id[event.endpoint_id] = WebhookEndpoint(
                    id=event.endpoint_id,
                    version=version,
                    url=event.url or "",
                    secret=event.secret or "",
                    events=event.events,
                    ordering=event.ordering,
                    description=event.description,
                    created_at=recorded.recorded_at,
                    registered=recorded.checkpoint,
                    turn=version,
                    replays=begins,
                )
                return
            case EndpointDeleted(endpoint_id=endpoint_id):
                del by_id[endpoint_id]
                return
            case EndpointChanged():
                changed = replace(
                    by_id[event.endpoint_id],
                    url=event.url or "",
                    events=event.events,
                    ordering=event.ordering,
                    description=event.description,
                )
            case EndpointDisabled():
                disabled = Disabled(event.cause, event.detail, recorded.recorded_at)
                changed = replace(by_id[event.endpoint_id], disabled=disabled)
            case EndpointEnabled():
                changed = replace(by_id[event.endpoint_id], disabled=None, turn=version)
            case SecretRotated():
                before = by_id[event.endpoint_id]
                changed = replace(
                    before,
                    secret=event.secret or "",
                    previous_secret=before.secret,
                    previous_until=event.previous_until,
                )
            case ReplayRequested():
                before = by_id[event.endpoint_id]
                replays = (*before.replays, (version, event.from_position))
                changed = replace(before, turn=version, replays=replays)
            case _:
                assert_never(event)
        by_id[changed.id] = replace(changed, version=version)


def read_endpoints(log: EventReader, codec: Codec, *, up_to: int | None = None) -> EndpointBook:
    """All of them, as of now or as of a version of their stream. Raises StoreUnavailable."""
    book = EndpointBook(log, codec)
    book.read_on(up_to=up_to)
    return book
