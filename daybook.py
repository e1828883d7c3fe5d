"""The command line: joins the packages' own sub-commands, each loaded only when it is asked for."""

from __future__ import annotations

import importlib
import sys
from io import TextIOWrapper
from pathlib import Path

import click

LAZY_COMMANDS = {  # name: module and attribute
    "demo": ("deploy.local.cli.up", "demo_command"),
    "events": ("deploy.local.cli.events", "events_group"),
    "import": ("commands.importing.cli", "import_group"),
    "payments": ("commands.cli", "payments_group"),
    "processes": ("commands.operator.processes_cli", "processes_group"),
    "projections": ("projections.cli", "projections_group"),
    "replays": ("replays.cli", "replays_group"),
    "sandbox": ("commands.gateways.sandbox.cli", "sandbox_group"),
    "serve": ("deploy.local.cli.serve", "serve_group"),
    "stream": ("projections.kafka.cli", "stream_group"),
    "sql": ("replays.duckdb.cli", "sql_command"),
    "up": ("deploy.local.cli.up", "up_command"),
    "webhooks": ("commands.webhooks.cli", "webhooks_group"),
}
SUMMARIES = {  # so that `daybook --help` need not load them
    "demo": "Fill the running shop: sample, retail or retail-year.",
    "events": "The log itself: tail, migrate.",
    "import": "Load a real shop's books.",
    "payments": "Money: what is owed and stuck, the gateway's news and its balance report.",
    "processes": "The process managers' open work: what waits, what fails and why; trying it now.",
    "projections": "The read models: where they stand, rebuilding one.",
    "replays": "An order's history, its state at any moment, and proof that the log is complete.",
    "sandbox": "The sandbox gateway: acting as the shopper, the bank, or its dashboard.",
    "stream": "The event stream on Kafka: where the relay stands.",
    "sql": "Questions in SQL about all that happened.",
    "up": "Run the whole system on this machine.",
    "webhooks": "Endpoints outside that get events: where they stand, what they were sent, sending it again.",
}


class LazyGroup(click.Group):
    """A group whose sub-commands' modules are imported when one of them is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY_COMMANDS:
            return None
        module, attribute = LAZY_COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return with_data_option(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(SUMMARIES.items()))


def with_data_option(command: click.Command) -> click.Command:
    """Give a command, and what lies below it, the option `--data` that every sub-command takes."""
    if not any("--data" in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                ["--data"],
                type=click.Path(path_type=Path),
                metavar="DIR",
                expose_value=False,
                callback=_find_system,
                help="The data folder; else DAYBOOK_DATA_DIR, else ./.daybook.",
            )
        )
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_data_option(below)
    return command


def _find_system(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    """Put the addresses of the system on that data folder where the sub-command finds them: `ctx.obj`."""
    from deploy.local.addresses import data_folder, find_addresses

    if value is not None:
        ctx.meta["daybook.data"] = value
    ctx.obj = find_addresses(data_folder(ctx.meta.get("daybook.data")))


@click.group(cls=LazyGroup)
@click.version_option(package_name="daybook")
def cli() -> None:
    """Daybook: everything that happens in the shop is written down once, in order."""


def main() -> None:
    """Run the command line; an expected failure is one line on standard error."""
    from deploy.local.logs.standard_error import make_standard_error_best_effort

    make_standard_error_best_effort()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # A letter the encoding lacks is escaped.
    try:
        cli()
    except Exception as error:
        reason = _expected(error)
        if reason is None:
            raise
        click.echo(f"daybook: {reason}", err=True)
        sys.exit(1)


def _expected(error: Exception) -> str | None:
    """The message of an expected failure; None for all others."""
    from pydantic import ValidationError

    from commands.gateways.gateway import GatewayError
    from deploy.local.errors import CannotRun
    from event_store.errors import EventStoreError
    from projections.documents.errors import ReadError
    from projections.engine.follower import TargetUnavailable
    from projections.redis.store import EvictingStore

    if isinstance(error, ValidationError):
        faults = error.errors()
        return "; ".join(
            f"DAYBOOK_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in faults
        )
    ours = CannotRun | EventStoreError | GatewayError | ReadError | EvictingStore | TargetUnavailable
    is_a_servers = type(error).__module__.partition(".")[0] in {"psycopg", "redis", "sqlite3"}
    if isinstance(error, ours | OSError) or is_a_servers:
        return " ".join(str(error).split()) or type(error).__name__
    return None


if __name__ == "__main__":
    main()
