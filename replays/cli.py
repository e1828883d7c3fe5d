"""`daybook replays …` and `daybook events tail`: for auditors and analysts. They only read.

`ctx.obj` has `postgres_url`, the log's address.
"""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from typing import Any

import click
import msgspec
from tqdm import tqdm

from aggregates.event_types import EVENT_TYPES
from event_store.cloud_events import cloud_event
from event_store.codec import Codec
from event_store.errors import AnotherHistory
from event_store.postgres.log import PostgresLog
from event_store.records import Checkpoint
from event_store.selection import Selection
from replays.export.cli import export_command
from replays.feed.feed import BeyondHead, read_page
from replays.feed.feed_parameters import LIMIT_MAX, TYPE_NAMES
from replays.order.history import UnknownOrder, load_history
from replays.order.moments import NOW, Cut, parse_time, recorded_by, up_to, valid_by
from replays.order.report import NotYet, in_json, in_words
from replays.verification.findings import Finding
from replays.verification.verify import verify

_WAIT_SECONDS = 1.0


class Misused(click.ClickException):
    """The options contradict each other or name nothing; the message is one line."""

    exit_code = 2


@click.group("replays")
def replays_group() -> None:
    """What happened, how it stood at any moment, and whether the books are sound."""


replays_group.add_command(export_command)


@replays_group.command("order")
@click.argument("order_id", metavar="ID")
@click.option("--at", "at", metavar="TIME", help="As the books stood then: what was recorded by TIME.")
@click.option("--valid-at", metavar="TIME", help="As the world stood then: what was true by TIME.")
@click.option("--position", type=click.IntRange(min=1), metavar="N", help="As the log stood at position N.")
@click.option("--json", "as_json", is_flag=True, help="The state and its events as JSON.")
@click.pass_obj
def replay_order(
    addresses: Any,
    order_id: str,
    *,
    at: str | None,
    valid_at: str | None,
    position: int | None,
    as_json: bool,
) -> None:
    """An order's history across its cart, stock, payment and order, and how it stands.

    TIME is RFC 3339 (2026-01-31T12:00:00Z); a bare date is the end of that day in UTC.
    """
    cut = _cut(at, valid_at, position)
    with _log(addresses) as log:
        try:
            history = load_history(log, Codec(EVENT_TYPES), order_id)
            report = in_json(history, cut) if as_json else in_words(history, cut)
        except UnknownOrder:
            raise click.ClickException(f"there is no order {order_id}") from None
        except NotYet as not_yet:
            raise click.ClickException(f"order {order_id}: {not_yet}") from None
    click.echo(report)


@replays_group.command("verify")
@click.option("--json", "as_json", is_flag=True, help="What was read and every finding as JSON.")
@click.pass_obj
def replay_verify(addresses: Any, as_json: bool) -> None:
    """Reads all of the log and checks it against every rule. Exit code 1 when one is broken."""
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        if as_json:
            findings.append(finding)
        else:
            with tqdm.external_write_mode(sys.stdout):
                click.echo(str(finding))

    with (
        _log(addresses) as log,
        tqdm(unit=" events", unit_scale=True, mininterval=0.5, file=sys.stderr) as bar,
    ):

        def progress(position: int, head: int) -> None:
            bar.total = head
            bar.update(position - bar.n)

        verified = verify(log, Codec(EVENT_TYPES), report=report, progress=progress)
    if as_json:
        click.echo(msgspec.json.encode({**msgspec.to_builtins(verified), "findings": findings}))
    else:
        count = "nothing is wrong" if not verified.findings else f"{verified.findings:,} findings"
        click.echo(
            f"{verified.events:,} events in {verified.streams:,} streams, up to position {verified.head:,},"
            f" in {verified.seconds:.1f} s: {count}"
        )
    if verified.findings:
        raise SystemExit(1)


@click.command("tail")
@click.option(
    "--after", type=click.IntRange(min=0), metavar="N", help="From after position N; default: the end."
)
@click.option("--types", default="", metavar="NAME,…", help="Only events of these stored names.")
@click.option("--follow/--no-follow", default=True, help="Wait for more (the default), or end at the end.")
@click.pass_obj
def events_tail(addresses: Any, after: int | None, types: str, follow: bool) -> None:
    """The log's events as CloudEvents, one JSON object a line, personal data left out."""
    wanted = Selection(types=_types(types) or None)
    codec = Codec(EVENT_TYPES)
    if follow:  # Ctrl-C ends it as it ends `tail -f`: between two instructions, with nothing to unwind
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with _log(addresses) as log:
        position = (log.head() if follow else 0) if after is None else after
        seen: Checkpoint | None = None
        while True:
            try:
                page = read_page(log, after=position, limit=LIMIT_MAX, selection=wanted, seen=seen)
            except (BeyondHead, AnotherHistory) as error:
                raise click.ClickException(str(error)) from None
            for recorded in page.events:
                click.echo(msgspec.json.encode(cloud_event(codec, recorded)))
            position, seen = page.next, page.seen
            if position >= page.head:
                if not follow:
                    return
                log.wait(after=position, timeout_seconds=_WAIT_SECONDS)


def _cut(at: str | None, valid_at: str | None, position: int | None) -> Cut:
    if sum(option is not None for option in (at, valid_at, position)) > 1:
        raise Misused("only one of --at, --valid-at and --position at a time")
    try:
        if at is not None:
            return recorded_by(parse_time(at))
        if valid_at is not None:
            return valid_by(parse_time(valid_at))
    except ValueError as error:
        raise Misused(str(error)) from None
    return NOW if position is None else up_to(position)


def _types(text: str) -> frozenset[str]:
    types = frozenset(name.strip() for name in text.split(",") if name.strip())
    if unknown := sorted(types - TYPE_NAMES):
        raise Misused(f"there is no event type {unknown[0]}")
    return types


def _log(addresses: Any) -> closing[PostgresLog]:
    return closing(PostgresLog.open(addresses.postgres_url, read_only=True))
