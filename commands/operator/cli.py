"""`daybook payments owed | retry | write-off | catch-up`: what an operator does where no process can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click
import msgspec
from pydantic import TypeAdapter, ValidationError

from aggregates.kernel import Money, Rejected
from commands.handlers.payments import RetryPayment, WriteOffPayment
from commands.http.owed import METHOD
from commands.http.problems import sentence_of
from commands.http.schemas import ID, Reason
from commands.importing.running import quiet_logs
from commands.loop.decision import BusyError
from commands.operator.handling import Step, do_and_wait, fetch_news
from commands.operator.owed import OwedOrder, read_owed, read_owed_order
from commands.reconciliation.cli import beginning, money, table
from commands.settings import Settings
from event_store.postgres.log import PostgresLog

PAGE = 1_000


class Addresses(Protocol):
    """What the command line knows of the system (`ctx.obj`)."""

    postgres_url: str
    data_dir: Path


def _order_id(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(ID, value):
        raise click.BadParameter("is no id of an order")
    return value


def _method(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(METHOD, value):
        raise click.BadParameter("is no name of a means of payment")
    return value


def _reason(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else TypeAdapter(Reason).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


ORDER = click.argument("order_id", metavar="ORDER", callback=_order_id)


@click.command("owed")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the table.")
@click.pass_obj
def owed_command(addresses: Addresses, as_json: bool) -> None:
    """List the orders whose money is to be settled by a person, the longest unchanged first.

    What the shop is still to get and the customer to get back, calls that the gateway refused, and what is
    to be looked at: disputes, fraud warnings, reviews, holds about to lapse.
    """
    with closing(PostgresLog.open(addresses.postgres_url, read_only=True)) as log:
        orders = list(_all_owed(log))
    if as_json:
        click.echo(msgspec.json.encode(orders))
    elif orders:
        click.echo(table(iter([_HEAD, *map(_row, orders)])))
    else:
        click.echo("Nothing is owed, stuck or to be looked at.")


@click.command("retry")
@ORDER
@click.option(
    "--method",
    metavar="PM",
    callback=_method,
    help="How the customer pays now. [default: as in the first attempt]",
)
@click.pass_obj
def retry_command(addresses: Addresses, order_id: str, method: str | None) -> None:
    """Try to settle an order's money anew: what is stuck; else what the shop, or the customer, is owed.

    Waits for the gateway's answer. The exit code is 1 where something is still to be settled.
    """
    command = RetryPayment(order_id=order_id, on=datetime.now(UTC).date(), method=method)
    with _log(addresses) as log:
        steps = do_and_wait(log, command)
        left = read_owed_order(log, order_id)
    for step in steps:
        click.echo(_line(step))
    if not steps:
        click.echo("The gateway is being asked already; nothing was begun.")
    if any(step.ended is None for step in steps):
        raise click.ClickException("the gateway has not answered yet: see `daybook processes list payment`")
    _echo_left(order_id, left)
    if left is not None:
        raise click.exceptions.Exit(1)


@click.command("write-off")
@ORDER
@click.option(
    "--reason", metavar="TEXT", callback=_reason, help="Why; kept with the order, as personal data."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def write_off_command(addresses: Addresses, order_id: str, reason: str | None, yes: bool) -> None:
    """Give up what an order is owed or owes, and take it off the list."""
    command = WriteOffPayment(order_id=order_id, on=datetime.now(UTC).date(), reason=reason)
    with _log(addresses) as log:
        owed = read_owed_order(log, order_id)
        if owed is not None:
            click.echo(table(iter([_HEAD, _row(owed)])))
            if not yes:
                click.confirm("Give this up?", abort=True)
        do_and_wait(log, command)
        left = read_owed_order(log, order_id)
    _echo_left(order_id, left)


@click.command("catch-up")
@click.option(
    "--since",
    type=beginning,
    metavar="TIME",
    help="News since then (RFC 3339); gateways keep them for 30 days. [default: since the last time]",
)
@click.pass_obj
def catch_up_command(addresses: Addresses, since: datetime | None) -> None:
    """Ask the gateway for its news, and record those that never arrived."""
    settings = Settings(postgres_url=addresses.postgres_url, data_dir=addresses.data_dir)
    with _log(addresses) as log:
        caught_up = fetch_news(log, settings, since=since)
    click.echo(
        f"{caught_up.news:,} pieces of news since {caught_up.since:%Y-%m-%d %H:%M} UTC,"
        f" {caught_up.new:,} of them new"
    )


_HEAD = ("order", "number", "to shop", "to customer", "stuck", "to be looked at", "since (UTC)")


def _row(owed: OwedOrder) -> tuple[str, ...]:
    stuck = [f"{one.call} {one.outcome}: {one.code} ({one.request_id})" for one in owed.stuck]
    return (
        owed.order_id,
        owed.number,
        _amount(owed.to_shop),
        _amount(owed.to_customer),
        "; ".join(stuck) or "-",
        ", ".join(owed.concerns) or "-",
        f"{owed.since:%Y-%m-%d %H:%M}",
    )


def _amount(amount: Money) -> str:
    return money(amount) if amount.amount else "-"


def _line(step: Step) -> str:
    asked = step.begun.call + (f" of {money(step.begun.amount)}" if step.begun.amount.amount else "")
    if step.ended is None:
        return f"{asked}: begun"
    details = ", ".join(detail for detail in (step.ended.code, step.ended.request_id) if detail)
    return f"{asked}: {step.ended.outcome}" + (f" ({details})" if details else "")


def _echo_left(order_id: str, left: OwedOrder | None) -> None:
    if left is None:
        click.echo(f"Nothing of order {order_id} is left to be settled.")
    else:
        click.echo(table(iter([_HEAD, _row(left)])))


def _all_owed(log: PostgresLog) -> Iterator[OwedOrder]:
    after: int | None = 0
    while after is not None:
        page = read_owed(log, after=after, limit=PAGE)
        yield from page.items
        after = page.next


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
