"""The query process: the read API and, beside it, the auditors' door to the log, which only reads."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from aggregates.event_types import EVENT_TYPES
from deploy.edge.openapi import add_examples, install_openapi, read_examples
from deploy.edge.serving import Server, server_of
from deploy.local.rate_limits import limiting
from deploy.local.settings import QueryProcessSettings, RateLimitSettings
from deploy.local.supervision.ports import require_token_beyond_loopback
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.postgres.connections import FEED_ROLE
from event_store.postgres.log import PostgresLog
from event_store.records import EventReader
from event_store.selection import SelectiveReader
from read_api.app import build_query_app
from read_api.costs import COSTS
from read_api.health import ReadyPosition
from read_api.settings import QuerySettings
from replays.contracts.http import contracts_router
from replays.feed.broadcast import Broadcast
from replays.feed.http import EXAMPLES, events_router

SCHEMA = "daybook"


def serve_query_process(sockets: list[socket.socket] | None) -> None:
    """Serves until SIGTERM or SIGINT; on `sockets`, else on the settings' host and port. Raises CannotRun."""
    settings, own = QuerySettings(), QueryProcessSettings()
    require_token_beyond_loopback(settings.host, settings.operator_token)
    # Not `open`: storefronts are served while the log is away, and this role could not migrate it anyway.
    log = PostgresLog(own.postgres_url, SCHEMA, read_only=True, role=FEED_ROLE)
    server: Server | None = None
    app = build_query_process_app(
        settings,
        log,
        demo_marker=own.demo_marker,
        listeners_max=own.event_listeners_max,
        stopping=lambda: server is not None and server.should_exit,
    )
    server = server_of(
        app,
        host=settings.host,
        port=settings.read_port,
        methods=("GET", "HEAD"),
        limited=limiting(RateLimitSettings(), COSTS),
    )
    try:
        server.run(sockets=sockets)
    finally:
        log.close()


def build_query_process_app(
    settings: QuerySettings,
    log: SelectiveReader,
    *,
    demo_marker: Path | None = None,
    listeners_max: int = 1_000,
    stopping: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Every route of the query port. While `demo_marker` names a missing file, it is not ready."""
    app = build_query_app(settings, ready_position=head_at_start(log, demo_marker), stopping=stopping)
    _close_with(app, log)
    broadcast = Broadcast(log, listeners_max=listeners_max, stopping=stopping)
    app.include_router(
        events_router(log, Codec(EVENT_TYPES), broadcast, operator_token=settings.operator_token)
    )
    app.include_router(contracts_router())
    install_openapi(app, partial(add_examples, examples=read_examples(EXAMPLES)))
    return app


def _close_with(app: FastAPI, log: EventReader) -> None:
    """So that nobody waits for its server any more, and the threads that did can end."""
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        try:
            async with own(app) as state:
                yield state
        finally:
            log.close()

    app.router.lifespan_context = lifespan


def head_at_start(log: EventReader, demo_marker: Path | None = None) -> ReadyPosition:
    """The log's head when it was first asked for and the demo, if one runs, was done; None until then.

    Less where the log has less since: it was restored, or a standby took over without its last events.
    """
    head: int | None = None

    def position() -> int | None:
        nonlocal head
        if demo_marker is None or demo_marker.exists():
            try:
                now = log.head()
            except StoreUnavailable:
                return head
            head = now if head is None else min(head, now)
        return head

    return position
