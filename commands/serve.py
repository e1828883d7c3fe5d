"""The command process: the HTTP API, the handling loop and the process managers over one log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, closing

import uvloop
from starlette.types import ASGIApp

from commands.codec import CODEC
from commands.critical_tasks import CriticalTasks
from commands.gateways.choose import check_gateway, choose_gateway
from commands.handlers.registry import handlers
from commands.http.app import build_command_app
from commands.loop.handling import Handling
from commands.news import NewsSource
from commands.operator.gauges import counting_owed
from commands.processes.manager import ProcessManagers, all_kinds
from commands.providers.choose import choose_providers
from commands.settings import Settings
from commands.webhooks.choose import choose_sending
from commands.webhooks.sender import WebhookSender
from event_store.postgres.log import PostgresLog

Serve = Callable[[ASGIApp], Awaitable[None]]
"""Serves an application until SIGTERM or SIGINT, then finishes what is under way."""


def serve_commands(settings: Settings, serve: Serve) -> None:
    """Has the API served, by the server that is handed in.

    Raises SystemExit(1) where something has ended that the process cannot do without.
    """
    log = PostgresLog.open(settings.postgres_url)
    try:
        uvloop.run(_serve(settings, log, serve))
    finally:
        log.close()


async def _serve(settings: Settings, log: PostgresLog, serve: Serve) -> None:
    critical = CriticalTasks()
    gateway = choose_gateway(settings)
    providers = choose_providers(settings)
    handling = Handling(
        log,
        CODEC,
        handlers(gateway.chargeable),
        deadline_seconds=settings.deadline_seconds,
        failed=critical.ended,
    )
    news = NewsSource(gateway, handling, settings, log)
    kinds = (*all_kinds(gateway, log), *news.kinds)
    processes = ProcessManagers(log, CODEC, handling, kinds, failed=critical.ended)
    webhooks = WebhookSender(log, CODEC, handling, choose_sending(settings), failed=critical.ended)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        # The log is closed first of all that is given back, beneath what still waits for its server.
        async with aclosing(gateway), aclosing(providers), check_gateway(gateway):
            with closing(log):
                async with handling, processes, webhooks, news.running(), counting_owed(log):
                    yield

    app = build_command_app(
        settings, handling, log, gateway, processes=processes, providers=providers, running=running()
    )
    await serve(app)
    critical.require()
