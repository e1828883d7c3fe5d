"""`daybook serve`: the processes that `daybook up` starts, each with its own parts put together."""

from __future__ import annotations

import socket
from collections.abc import Awaitable

import click
from starlette.types import ASGIApp

from deploy.local.logs.structured_logs import configure_logs


@click.group("serve")
def serve_group() -> None:
    """One of the system's processes; `daybook up` calls these."""
    from deploy.edge.serving import raise_descriptors

    configure_logs()
    raise_descriptors()


listening = click.option(
    "--socket", "descriptor", type=click.IntRange(min=3), metavar="FD", help="A listening socket, inherited."
)


@serve_group.command("commands")
@listening
def serve_commands_command(descriptor: int | None) -> None:
    """The command API, the handling loop and the process managers."""
    from commands.http.costs import COSTS
    from commands.serve import serve_commands
    from commands.settings import Settings
    from deploy.edge.serving import server_of
    from deploy.local.rate_limits import limiting
    from deploy.local.settings import RateLimitSettings
    from deploy.local.supervision.ports import require_token_beyond_loopback

    settings = Settings()
    require_token_beyond_loopback(settings.host, settings.operator_token)

    def serve(app: ASGIApp) -> Awaitable[None]:
        server = server_of(
            app,
            host=settings.host,
            port=settings.commands_port,
            methods=("GET", "HEAD", "POST", "PUT", "DELETE"),
            limited=limiting(RateLimitSettings(), COSTS),
        )
        return server.serve(_inherited(descriptor))

    serve_commands(settings, serve)


@serve_group.command("projector")
def serve_projector_command() -> None:
    """The one writer of every view."""
    from projections.serve import run_projector
    from projections.settings import Settings

    run_projector(Settings())


@serve_group.command("relay")
def serve_relay_command() -> None:
    """The relay alone, which publishes the log's events on Kafka, as one of the projectors does."""
    from deploy.local.errors import CannotRun
    from event_store.kafka.settings import KafkaSettings
    from projections.kafka.serve import run_relay
    from projections.settings import RelaySettings

    kafka = KafkaSettings()
    if kafka.bootstrap is None:
        raise CannotRun("a relay needs DAYBOOK_KAFKA_BOOTSTRAP: the brokers' addresses, host:port by comma")
    run_relay(RelaySettings(), kafka)


@serve_group.command("query")
@listening
def serve_query_command(descriptor: int | None) -> None:
    """The read API and the auditors' door beside it."""
    from deploy.local.query_process import serve_query_process

    serve_query_process(_inherited(descriptor))


def _inherited(descriptor: int | None) -> list[socket.socket] | None:
    return None if descriptor is None else [socket.socket(fileno=descriptor)]
