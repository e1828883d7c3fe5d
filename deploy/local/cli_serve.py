"""`daybook serve`: the processes that `daybook up` starts, each with its own parts put together."""

from __future__ import annotations

import socket

import click

from deploy.local.structured_logs import configure_logs


@click.group("serve")
def serve_group() -> None:
    """One of the system's processes; `daybook up` calls these."""
    configure_logs()


listening = click.option(
    "--socket", "descriptor", type=click.IntRange(min=3), metavar="FD", help="A listening socket, inherited."
)


@serve_group.command("commands")
@listening
def serve_commands_command(descriptor: int | None) -> None:
    """The command API, the handling loop and the process managers."""
    from commands.serve import serve_commands
    from commands.settings import Settings

    serve_commands(Settings(), sockets=_inherited(descriptor))


@serve_group.command("projector")
def serve_projector_command() -> None:
    """The one writer of every view."""
    from projections.serve import run_projector
    from projections.settings import Settings

    run_projector(Settings())


@serve_group.command("query")
@listening
def serve_query_command(descriptor: int | None) -> None:
    """The read API and the auditors' door beside it."""
    from deploy.local.query_process import serve_query_process

    serve_query_process(_inherited(descriptor))


def _inherited(descriptor: int | None) -> list[socket.socket] | None:
    return None if descriptor is None else [socket.socket(fileno=descriptor)]
