"""`daybook processes`: what each kind of process has yet to do, and trying a piece of it now.

As the process that leads the kind saved it, a second ago at most. `payments` books money; nothing here does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Protocol

import click
import msgspec

from commands.processes.coupon_batches import CouponBatches
from commands.processes.credit_expiry import CreditExpiry
from commands.processes.following import checkpoint_named
from commands.processes.gateway_news import NewsFetching
from commands.processes.gateway_payments import ParkedPayments
from commands.processes.hold_expiry import HoldExpiry
from commands.processes.kind import AT_ONCE
from commands.processes.owed import NEVER, Owed
from commands.processes.payment import Payment
from commands.processes.price_list_ends import PriceListEnds
from commands.processes.reconciliation import ReconcileAfterPayout
from commands.processes.reservation_expiry import ReservationExpiry
from commands.processes.schedules import Schedules
from commands.reconciliation.cli import table
from event_store.postgres.log import PostgresLog
from event_store.progress import TriedWork

KINDS = tuple(
    kind.name
    for kind in (
        Payment,
        ReservationExpiry,
        HoldExpiry,
        ParkedPayments,
        NewsFetching,
        ReconcileAfterPayout,
        Owed,
        CouponBatches,
        CreditExpiry,
        Schedules,
        PriceListEnds,
    )
)
RETRY_SECONDS_MAX = 15.0
"""How long a retry waits for what becomes of it; no call of a gateway takes longer than twelve seconds."""


class Addresses(Protocol):
    """What the command line knows of the system (`ctx.obj`)."""

    postgres_url: str


class Work(msgspec.Struct, frozen=True):
    """A piece of open work."""

    kind: str
    work: str  # queue/number, as logs name it
    due_at: datetime | None  # UTC; None: an operator does it when they like
    opened_at: datetime  # UTC
    opened_by: str  # the stored name of the event
    position: int  # of the event
    tries: int  # by the process that follows now
    failure: str | None  # why the last of them did not end it


@click.group("processes")
def processes_group() -> None:
    """The process managers' open work: what waits, what fails and why."""


@processes_group.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Of each kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the table.")
@click.pass_obj
def list_command(addresses: Addresses, kind: str | None, limit: int, as_json: bool) -> None:
    """List open work of KIND, or of every kind, the oldest first."""
    found: list[Work] = []
    more = []
    with _log(addresses) as log:
        for name in [kind] if kind else KINDS:
            listed = log.listed_work(checkpoint_named(name), limit=limit + 1)
            found += _works(log, name, listed[:limit])
            more += [name] if len(listed) > limit else []
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    click.echo(table(iter([_HEAD, *map(_row, found)])) if found else "Nothing is open.")
    if more:
        click.echo(f"There is more of {', '.join(more)}: --limit shows it.", err=True)


@processes_group.command("show")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("work", metavar="QUEUE/NUMBER")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show_command(addresses: Addresses, kind: str, work: str, as_json: bool) -> None:
    """Show one piece of open work."""
    with _log(addresses) as log:
        (shown,) = _works(log, kind, [_find(log, kind, *_named(work))])
    if as_json:
        click.echo(msgspec.json.encode(shown))
        return
    rows = [
        ("kind", shown.kind),
        ("work", shown.work),
        ("opened", f"{_time(shown.opened_at)}, by {shown.opened_by} at position {shown.position}"),
        ("due", _due(shown)),
        ("tries", str(shown.tries)),
        ("last failure", shown.failure or "-"),
    ]
    for name, value in rows:
        click.echo(f"{name:<12}  {value}")


@processes_group.command("retry")
@click.argument("kind", type=click.Choice([name for name in KINDS if name != Owed.name]))
@click.argument("work", metavar="QUEUE/NUMBER")
@click.pass_obj
def retry_command(addresses: Addresses, kind: str, work: str) -> None:
    """Have open work tried now, without the pause it is in after a failure.

    The process that leads KIND does it, under the same key as before. Waits for what becomes of it; the exit
    code is 1 where the work is still open.
    """
    queue, number = _named(work)
    with closing(PostgresLog.open(addresses.postgres_url)) as log:
        before = _find(log, kind, queue, number)
        if before.due_at > datetime.now(UTC):
            raise click.ClickException(f"{work} is not due before {_time(before.due_at)}")
        name = checkpoint_named(kind)
        log.request_retry(name, queue, number)
        after = _awaited(log, name, before)
    if after is None:
        click.echo(f"{work} is done.")
    elif after == before:
        raise click.ClickException(
            f"{work} was not tried in {RETRY_SECONDS_MAX:.0f} s; it is as soon as a process leads {kind}"
        )
    else:
        raise click.ClickException(f"{work} is still open after {after.tries} tries: {after.failure}")


_HEAD = ("kind", "work", "opened (UTC)", "due (UTC)", "tries", "last failure")


def _row(work: Work) -> tuple[str, ...]:
    tries = str(work.tries) if work.tries else "-"
    return work.kind, work.work, _time(work.opened_at), _due(work), tries, work.failure or "-"


def _due(work: Work) -> str:
    if work.due_at is None:
        return "by an operator"
    return "at once" if work.due_at == AT_ONCE else _time(work.due_at)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _works(log: PostgresLog, kind: str, found: Sequence[TriedWork]) -> list[Work]:
    """Each with the event that opened it; without what another history took away."""
    events = {one.position: one for one in log.read_positions({work.position for work in found})}
    return [
        Work(
            kind=kind,
            work=f"{work.queue}/{work.number}",
            due_at=None if work.due_at == NEVER else work.due_at,
            opened_at=opened.recorded_at,
            opened_by=opened.type,
            position=work.position,
            tries=work.tries,
            failure=work.failure,
        )
        for work in found
        if (opened := events.get(work.position)) is not None
    ]


def _named(work: str) -> tuple[str, int]:
    queue, _, number = work.rpartition("/")
    if not queue or not re.fullmatch("[0-9]{1,18}", number):
        raise click.BadParameter(f"{work!r} is not QUEUE/NUMBER, as `daybook processes list` shows it")
    return queue, int(number)


def _find(log: PostgresLog, kind: str, queue: str, number: int) -> TriedWork:
    found = log.find_work(checkpoint_named(kind), queue, number)
    if found is None:
        raise click.ClickException(f"{queue}/{number} is not open work of {kind}")
    return found


def _awaited(log: PostgresLog, name: str, before: TriedWork) -> TriedWork | None:
    """What the work is once it was tried, None once it is closed; as before where the time is over."""
    deadline = time.monotonic() + RETRY_SECONDS_MAX
    while True:
        work = log.find_work(name, before.queue, before.number)
        if work is None or work != before or time.monotonic() > deadline:
            return work
        time.sleep(0.2)


def _log(addresses: Addresses) -> closing[PostgresLog]:
    return closing(PostgresLog.open(addresses.postgres_url, read_only=True))
