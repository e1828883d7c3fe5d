"""`daybook payments reconcile | reconciliations | report`: the gateway's balance report and our payments."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec

from aggregates.kernel import Money
from aggregates.payments.events import BalanceReconciled
from commands.codec import CODEC
from commands.gateways.choose import GATEWAYS, choose_gateway
from commands.gateways.gateway import Gateway, GatewayError
from commands.handlers.registry import HANDLERS
from commands.importing.progress import Progress
from commands.importing.running import quiet_logs
from commands.loop.decision import Context
from commands.loop.handling import Handling
from commands.operator.handling import CHANNEL, OPERATOR
from commands.reconciliation.fetching import (
    REACH,
    Begin,
    fetched_report,
    next_begin,
    reconcile_fetched,
    recorded,
)
from commands.reconciliation.healing import healing
from commands.reconciliation.matching import Finding, Total, Verdict
from commands.reconciliation.report import MalformedReport, major
from commands.reconciliation.running import Reconciliation, reconcile
from commands.settings import Settings
from event_store.postgres.log import PostgresLog
from event_store.records import EventReader

FINDINGS_SHOWN_MAX = 20
VERDICTS: dict[Verdict, str] = {
    "matched": "matched",
    "differing": "differing",
    "missing_at_stripe": "missing at Stripe",
    "missing_here": "missing here",
    "healed": "healed",
    "another_report": "in another report",
    "foreign": "foreign",
}
KINDS = {
    "charge": "charges",
    "refund": "refunds",
    "refund_failure": "failed refunds",
    "dispute": "dispute movements",
}


class Addresses(Protocol):
    """What the command line knows of the system (`ctx.obj`)."""

    postgres_url: str
    data_dir: Path


def beginning(text: str) -> datetime:
    """A time in RFC 3339, in UTC; of a bare date its first moment. ValueError for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a date nor a time (2026-01-31T12:00:00Z)") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def end(text: str) -> datetime:
    """The same; of a bare date the end of that day."""
    return beginning(text) + timedelta(days=len(text) == len("2026-01-31"))


@click.command("reconcile")
@click.argument(
    "report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="[REPORT.csv]",
    required=False,
)
@click.option(
    "--since",
    type=beginning,
    metavar="TIME",
    help="When the report begins. [default: the day of its first line; of one that is fetched: "
    "the end of the last reconciliation]",
)
@click.option(
    "--until",
    type=end,
    metavar="TIME",
    help="When the report ends. [default: its last line; of one that is fetched: as late as can be]",
)
@click.option(
    "--no-look", is_flag=True, help="Do not ask the gateway about what is missing here; write nothing."
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, with every finding, instead of the table."
)
@click.pass_obj
def reconcile_command(
    addresses: Addresses,
    report: Path | None,
    since: datetime | None,
    until: datetime | None,
    no_look: bool,
    as_json: bool,
) -> None:
    """Hold the gateway's itemized balance report against our payments.

    Without REPORT.csv it is fetched, orders that are left are put on the list of `daybook payments owed`, and
    the outcome is recorded, as a process does by itself after each payout. A file is Stripe's
    balance_change_from_activity.itemized.6, with the columns payment_metadata[order] and payment_intent_id.

    What the report has and we do not is looked at, joined into our books and so healed. The exit code is 1
    where anything is left to be looked into.
    """
    try:
        with quiet_logs():
            found = asyncio.run(_reconciled(addresses, report, since, until, look=not no_look))
    except MalformedReport as error:
        raise click.ClickException(f"{report or 'the report'}: {error}") from error
    except GatewayError as error:
        raise click.ClickException(f"the gateway has no report to give: {error}") from error
    click.echo(in_json(found) if as_json else in_words(found))
    if found.left:
        raise click.exceptions.Exit(1)


@click.command("reconciliations")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the table.")
@click.pass_obj
def reconciliations_command(addresses: Addresses, limit: int, as_json: bool) -> None:
    """List what came of fetched balance reports, the latest first.

    Orders that were left are on the list of `daybook payments owed`.
    """
    with closing(PostgresLog.open(addresses.postgres_url, read_only=True)) as log:
        found = [one for gateway in GATEWAYS for one in recorded(log, gateway)]
    found = sorted(found, key=lambda one: one.until)[: -limit - 1 : -1]
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    head = ("gateway", "since (UTC)", "until (UTC)", "lines", "healed", "left", "failure")
    click.echo(table(iter([head, *map(_row, found)])) if found else "There is none.")


def _row(one: BalanceReconciled) -> tuple[str, ...]:
    times = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (one.since, one.until))
    return (
        one.gateway,
        *times,
        f"{one.lines:,}",
        f"{one.healed:,}",
        f"{one.left:,}",
        one.failure or "-",
    )


@click.command("report")
@click.argument("report", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.csv")
@click.option("--since", type=beginning, metavar="TIME", help="When it begins. [default: 31 days ago]")
@click.option("--until", type=end, metavar="TIME", help="When it ends. [default: as late as can be]")
@click.pass_obj
def report_command(
    addresses: Addresses, report: Path, since: datetime | None, until: datetime | None
) -> None:
    """Fetch the gateway's balance report into OUT.csv."""

    async def fetch() -> None:
        async with aclosing(choose_gateway(_settings(addresses))) as gateway:
            ends = await _ends(gateway, until)
            async with fetched_report(gateway, since=since or ends - REACH, until=ends) as file:
                shutil.copyfile(file, report)

    try:
        asyncio.run(fetch())
    except GatewayError as error:
        raise click.ClickException(f"the gateway has no report to give: {error}") from error


async def _reconciled(
    addresses: Addresses, file: Path | None, since: datetime | None, until: datetime | None, *, look: bool
) -> Reconciliation:
    progress = Progress()
    async with AsyncExitStack() as opened:
        log = opened.enter_context(closing(PostgresLog.open(addresses.postgres_url, read_only=not look)))
        opened.callback(progress.close)
        if file is not None and not look:
            return await reconcile(file, log, since=since, until=until, progress=progress)
        gateway = await opened.enter_async_context(aclosing(choose_gateway(_settings(addresses))))
        if not look:
            since, until = await _window(gateway, log, since, until)
            fetched = await opened.enter_async_context(fetched_report(gateway, since=since, until=until))
            return await reconcile(fetched, log, since=since, until=until, progress=progress)
        handling = await opened.enter_async_context(Handling(log, CODEC, HANDLERS))

        async def submit(command: Any) -> Any:
            return await handling.handle(command, Context(actor=OPERATOR, channel=CHANNEL))

        if file is not None:
            heal = healing(gateway, submit)
            return await reconcile(file, log, since=since, until=until, heal=heal, progress=progress)
        since, until = await _window(gateway, log, since, until)
        found, record = await reconcile_fetched(
            gateway, log, submit, begin=Begin(since), until=until, progress=progress
        )
        await submit(record)
        return found


async def _window(
    gateway: Gateway, log: EventReader, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """The time of a report that is fetched: by default from the end of the last one, as far as it can be."""
    until = await _ends(gateway, until)
    since = since or next_begin(log, gateway.name, until=until).since
    if since >= until:
        raise click.ClickException(f"{gateway.name} reports up to {until:%Y-%m-%d %H:%M} UTC so far")
    return since, until


async def _ends(gateway: Gateway, until: datetime | None) -> datetime:
    reported = (await gateway.reported_until()).replace(microsecond=0)
    return reported if until is None else min(until, reported)


def _settings(addresses: Addresses) -> Settings:
    return Settings(postgres_url=addresses.postgres_url, data_dir=addresses.data_dir)


def in_json(found: Reconciliation) -> str:
    """All of it, as one JSON object."""
    listed = msgspec.json.encode(
        {
            "lines": found.report.lines,
            "since": found.window.since,
            "until": found.window.until,
            "totals": [
                {"category": category, "currency": currency, "lines": total.lines}
                | {name: Money(getattr(total, name), currency) for name in ("gross", "fee", "net")}
                for (category, currency), total in sorted(found.report.totals.items())
            ],
            "verdicts": {
                verdict: {kind: found.counts[verdict, kind] for kind in KINDS}  # type: ignore[index]
                for verdict in VERDICTS
            },
            "findings": found.findings,
            "left": len(found.left),
        }
    )
    return listed.decode()


def in_words(found: Reconciliation) -> str:
    """The totals, the verdicts, and what is left to be looked into."""
    since, until = (f"{moment:%Y-%m-%d %H:%M}" for moment in (found.window.since, found.window.until))
    parts = [
        f"{found.report.lines:,} lines of {since} to {until} UTC",
        table(_totals(found)),
        table(_verdicts(found)),
        *_listed(found),
        "Nothing is left to be looked into."
        if not found.left
        else f"{len(found.left):,} left to be looked into.",
    ]
    return "\n\n".join(parts)


def _totals(found: Reconciliation) -> Iterator[tuple[str, ...]]:
    yield "category", "lines", "gross", "fee", "net"
    sums: dict[str, Total] = {}
    for (category, currency), total in sorted(found.report.totals.items()):
        yield category, *_amounts(total, currency)
        every = sums.setdefault(currency, Total())
        every.lines += total.lines
        every.gross += total.gross
        every.fee += total.fee
    for currency, total in sorted(sums.items()):
        yield "all", *_amounts(total, currency)


def _amounts(total: Total, currency: str) -> tuple[str, ...]:
    return f"{total.lines:,}", *(money(Money(one, currency)) for one in (total.gross, total.fee, total.net))


def _verdicts(found: Reconciliation) -> Iterator[tuple[str, ...]]:
    yield "", *KINDS.values()
    for verdict, words in VERDICTS.items():
        yield words, *(f"{found.counts[verdict, kind]:,}" for kind in KINDS)  # type: ignore[index]


def _listed(found: Reconciliation) -> Iterator[str]:
    for verdict, words in VERDICTS.items():
        those = [finding for finding in found.findings if finding.verdict == verdict]
        if those and verdict != "foreign":
            more = len(those) - FINDINGS_SHOWN_MAX
            lines = [_line(finding) for finding in those[:FINDINGS_SHOWN_MAX]]
            rest = [f"  and {more:,} more: --json lists them all"] if more > 0 else []
            yield "\n".join([f"{words}:", *lines, *rest])


def _line(finding: Finding) -> str:
    name = finding.kind.replace("_", " ")
    item = "" if finding.item == finding.payment else f" {finding.item}"
    order = "" if finding.order_id is None else f" of order {finding.order_id}"
    amounts = [
        f"{money(amount)} {where}"
        for amount, where in ((finding.ours, "here"), (finding.reported, "in the report"))
        if amount is not None
    ]
    line = "" if finding.line is None else f" (line {finding.line})"
    return f"  {name}{item}{order}, payment {finding.payment}:\n    {', '.join(amounts) or 'no amount'}{line}"


def money(amount: Money) -> str:
    return f"{major(amount.amount, amount.currency):,} {amount.currency}"


def table(rows: Iterator[Sequence[str]]) -> str:
    """The rows in columns, the first to the left and the others to the right."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in cells
    )
