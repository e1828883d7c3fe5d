"""The command process: the HTTP API, the handling loop and the process managers over one log."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

import uvicorn
import uvloop

from aggregates.event_types import EVENT_TYPES
from commands.handlers import HANDLERS
from commands.handling import Handling
from commands.http.app import build_command_app
from commands.processes.manager import ProcessManagers
from commands.sandbox_gateway import SandboxGateway
from commands.settings import Settings
from event_store.codec import Codec
from event_store.postgres_log import PostgresLog

SWITCH_SECONDS = 0.0005
"""How long the event loop may keep the interpreter from the thread whose append has come back; Python's own
5 ms would be most of an append's time."""


class UnsafeAddress(Exception):  # noqa: N818
    """Beyond this machine, anyone could change prices: that needs an operator token."""


def serve_commands(settings: Settings, *, sockets: Sequence[socket.socket] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way.

    `sockets` are listening sockets to serve on, made by a supervisor; without them `settings.host` and
    `commands_port` are bound. Raises UnsafeAddress.
    """
    require_safe(settings.host, settings.operator_token)
    sys.setswitchinterval(SWITCH_SECONDS)
    log = PostgresLog.open(settings.postgres_url)
    try:
        uvloop.run(_serve(settings, log, sockets))
    finally:
        log.close()


def require_safe(host: str, operator_token: str | None) -> None:
    """Refuses to be reached from other machines by everyone."""
    if operator_token:
        return
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UnsafeAddress(f"{host} is beyond this machine: set DAYBOOK_OPERATOR_TOKEN first")


async def _serve(settings: Settings, log: PostgresLog, sockets: Sequence[socket.socket] | None) -> None:
    codec = Codec(EVENT_TYPES)
    handling = Handling(log, codec, HANDLERS, deadline_seconds=settings.deadline_seconds)
    gateway = SandboxGateway(settings.data_dir / "sandbox.sqlite")

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        with closing(gateway):
            async with handling, ProcessManagers(log, codec, handling, gateway):
                yield

    app = build_command_app(settings, handling, log, running=running())
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.commands_port,
            http="httptools",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
        )
    )
    await server.serve(sockets=list(sockets) if sockets else None)
