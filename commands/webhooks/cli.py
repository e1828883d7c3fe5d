"""`daybook webhooks`: the endpoints, what they were sent, and what an operator does about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol, get_args

import click
import msgspec

from aggregates.kernel import Rejected
from commands.codec import CODEC
from commands.handlers.registry import HANDLERS
from commands.handlers.webhooks import DisableEndpoint, EnableEndpoint, ReplayEndpoint
from commands.http.problems import sentence_of
from commands.importing.running import quiet_logs
from commands.loop.decision import BusyError, Context
from commands.loop.handling import Handling
from commands.operator.handling import CHANNEL, OPERATOR
from commands.reconciliation.cli import table
from commands.webhooks.reading import deliveries_page, listed_endpoints
from event_store.deliveries import DeliveryState
from event_store.postgres.log import PostgresLog


class Addresses(Protocol):
    """What the command line knows of the system (`ctx.obj`)."""

    postgres_url: str


@click.group("webhooks")
def webhooks_group() -> None:
    """Webhooks: endpoints, and what they were sent. `POST /api/v1/webhook-endpoints` registers them."""


@webhooks_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the table.")
@click.pass_obj
def list_command(addresses: Addresses, as_json: bool) -> None:
    """List the endpoints: how far each has come, what is pending, and why one is disabled."""
    with _log(addresses) as log:
        found = listed_endpoints(log, CODEC)
    if as_json:
        click.echo(msgspec.json.encode(found))
    elif found:
        head = ("endpoint", "status", "position", "pending", "failing since (UTC)", "url")
        click.echo(table(iter([head, *map(_endpoint_row, found)])))
    else:
        click.echo("No endpoint is registered.")


@webhooks_group.command("deliveries")
@click.argument("endpoint_id", metavar="ENDPOINT")
@click.option("--state", type=click.Choice(get_args(DeliveryState)), help="Those in this state alone.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, with every attempt, for the table.")
@click.pass_obj
def deliveries_command(
    addresses: Addresses, endpoint_id: str, state: DeliveryState | None, limit: int, as_json: bool
) -> None:
    """List what ENDPOINT was sent and is to be sent, the latest first, with the last attempt at each."""
    with _log(addresses) as log:
        if endpoint_id not in {one["id"] for one in listed_endpoints(log, CODEC)}:
            raise click.ClickException(f"no endpoint is called {endpoint_id}: `daybook webhooks list`")
        page = deliveries_page(log, endpoint_id, before=None, state=state, limit=limit)
    if as_json:
        click.echo(msgspec.json.encode(page["items"]))
    elif page["items"]:
        head = ("position", "type", "state", "attempts", "last outcome", "next attempt (UTC)")
        click.echo(table(iter([head, *map(_delivery_row, page["items"])])))
    else:
        click.echo("There are no deliveries.")
    if page["next"] is not None:
        click.echo("There are more: --limit shows them.", err=True)


@webhooks_group.command("replay")
@click.argument("endpoint_id", metavar="ENDPOINT")
@click.option("--from", "from_position", type=click.IntRange(min=1), required=True, metavar="POSITION")
@click.pass_obj
def replay_command(addresses: Addresses, endpoint_id: str, from_position: int) -> None:
    """Have ENDPOINT sent all its events from POSITION on once more, with the ids that they had."""
    with _log(addresses) as log:
        _do(log, ReplayEndpoint(endpoint_id=endpoint_id, from_position=from_position, head=log.head()))
    click.echo(f"{endpoint_id} is sent its events from position {from_position} on.")


@webhooks_group.command("disable")
@click.argument("endpoint_id", metavar="ENDPOINT")
@click.option("--reason", default="", help="For whoever looks at it later.")
@click.pass_obj
def disable_command(addresses: Addresses, endpoint_id: str, reason: str) -> None:
    """Send nothing to ENDPOINT until it is enabled."""
    with _log(addresses) as log:
        _do(log, DisableEndpoint(endpoint_id=endpoint_id, cause="operator", detail=reason[:500]))
    click.echo(f"{endpoint_id} is disabled.")


@webhooks_group.command("enable")
@click.argument("endpoint_id", metavar="ENDPOINT")
@click.pass_obj
def enable_command(addresses: Addresses, endpoint_id: str) -> None:
    """Send to ENDPOINT again, from where it stood."""
    with _log(addresses) as log:
        _do(log, EnableEndpoint(endpoint_id=endpoint_id))
    click.echo(f"{endpoint_id} is enabled.")


def _endpoint_row(one: dict[str, Any]) -> tuple[str, ...]:
    disabled = one["disabled"]
    status = "enabled" if disabled is None else f"disabled: {disabled['cause']}"
    since = one["failing_since"]
    failing = "-" if since is None else f"{since:%Y-%m-%d %H:%M:%S}"
    return one["id"], status, str(one["position"]), str(one["pending"]), failing, one["url"]


def _delivery_row(one: dict[str, Any]) -> tuple[str, ...]:
    attempts, due = one["attempts"], one["next_attempt_at"]
    last = "-"
    if attempts:
        last = attempts[-1]["outcome"]
        last += f" {attempts[-1]['status']}" if attempts[-1]["status"] else ""
    next_at = "-" if due is None else f"{due:%Y-%m-%d %H:%M:%S}"
    return str(one["position"]), one["type"], one["state"], str(len(attempts)), last, next_at


def _do(log: PostgresLog, command: Any) -> None:
    async def run() -> None:
        async with Handling(log, CODEC, HANDLERS) as handling:
            await handling.handle(command, Context(actor=OPERATOR, channel=CHANNEL))

    asyncio.run(run())


@contextmanager
def _log(addresses: Addresses) -> Iterator[PostgresLog]:
    """The log, to be written; what goes wrong with a command is one line."""
    with quiet_logs(), closing(PostgresLog.open(addresses.postgres_url)) as log:
        try:
            yield log
        except Rejected as error:
            raise click.ClickException(sentence_of(error.reason)) from error
        except BusyError as error:
            raise click.ClickException("others kept writing what this is about: try again") from error
