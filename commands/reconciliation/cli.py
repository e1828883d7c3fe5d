"""`daybook payments reconcile`: the gateway's balance report held against our payments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import click
import msgspec

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import Money
from commands.gateways.choose import choose_gateway
from commands.gateways.sandbox.balance_report import report_lines
from commands.gateways.sandbox.gateway import SandboxGateway
from commands.importing.progress import Progress
from commands.importing.running import quiet_logs
from commands.reconciliation.healing import healing
from commands.reconciliation.matching import Finding, Total, Verdict
from commands.reconciliation.report import MalformedReport, balance_report, major
from commands.reconciliation.running import Reconciliation, reconcile
from commands.settings import Settings
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog

FINDINGS_SHOWN_MAX = 20
VERDICTS: dict[Verdict, str] = {
    "matched": "matched",
    "differing": "differing",
    "missing_at_stripe": "missing at Stripe",
    "missing_here": "missing here",
    "healed": "healed",
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
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="REPORT.csv")
@click.option(
    "--since",
    type=beginning,
    metavar="TIME",
    help="When the report begins. [default: the day of its first line]",
)
@click.option("--until", type=end, metavar="TIME", help="When the report ends. [default: its last line]")
@click.option(
    "--no-look", is_flag=True, help="Do not ask the gateway about what is missing here; write nothing."
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, with every finding, instead of the table."
)
@click.pass_obj
def reconcile_command(
    addresses: Addresses,
    report: Path,
    since: datetime | None,
    until: datetime | None,
    no_look: bool,
    as_json: bool,
) -> None:
    """Hold Stripe's itemized balance report (balance_change_from_activity.itemized.6) against our payments.

    The report must have the columns payment_metadata[order] and payment_intent_id. What it has and we do not
    is looked at, joined into our books and so healed. The exit code is 1 where anything is left that is
    neither matched nor healed nor foreign.
    """
    try:
        with quiet_logs():
            found = asyncio.run(_reconciled(addresses, report, since, until, look=not no_look))
    except MalformedReport as error:
        raise click.ClickException(f"{report}: {error}") from error
    click.echo(in_json(found) if as_json else in_words(found))
    if found.left:
        raise click.exceptions.Exit(1)


@click.command("report")
@click.argument("report", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.csv")
@click.pass_obj
def report_command(addresses: Addresses, report: Path) -> None:
    """Write the sandbox's balance report, as Stripe would, to OUT.csv."""
    gateway = choose_gateway(_settings(addresses))
    if not isinstance(gateway, SandboxGateway):
        raise click.ClickException(f"{gateway.name} makes its report itself: download it there")
    with closing(gateway), report.open("w", encoding="utf-8", newline="") as file:
        file.writelines(balance_report(report_lines(gateway.books)))


async def _reconciled(
    addresses: Addresses, file: Path, since: datetime | None, until: datetime | None, *, look: bool
) -> Reconciliation:
    codec, progress = Codec(EVENT_TYPES), Progress()
    with closing(PostgresLog.open(addresses.postgres_url, read_only=not look)) as log:
        async with AsyncExitStack() as opened:
            opened.callback(progress.close)
            heal = None
            if look:
                gateway = choose_gateway(_settings(addresses))
                opened.push_async_callback(gateway.aclose)
                heal = await opened.enter_async_context(healing(log, codec, gateway))
            return await reconcile(file, log, codec, since=since, until=until, heal=heal, progress=progress)


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
