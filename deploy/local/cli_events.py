"""`daybook events`: the log as it grows, and its schema."""

from __future__ import annotations

import click
import msgspec

from deploy.local.addresses import Addresses

PAGE = 1_000
WAIT_SECONDS = 5.0


@click.group("events")
def events_group() -> None:
    """The log itself."""


@events_group.command("tail")
@click.option("--after", type=click.IntRange(min=0), metavar="POSITION", help="Else the last ten events.")
@click.option("--types", multiple=True, metavar="TYPE", help="Only such events; may be given repeatedly.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Wait for what comes next.")
@click.pass_obj
def tail_command(addresses: Addresses, after: int | None, types: tuple[str, ...], follow: bool) -> None:
    """Print events as CloudEvents, one JSON line each, personal data left out."""
    from aggregates.event_types import EVENT_TYPES
    from event_store.codec import Codec
    from event_store.postgres_log import PostgresLog
    from replays.cloud_events import cloud_event
    from replays.feed import read_page

    codec = Codec(EVENT_TYPES)
    log = PostgresLog.open(addresses.postgres_url, read_only=True)
    try:
        position = max(0, log.head() - 10) if after is None else after
        while True:
            page = read_page(log, after=position, limit=PAGE, types=types)
            for recorded in page.events:
                click.echo(msgspec.json.encode(cloud_event(codec, recorded)))
            position = page.next
            if position >= page.head:
                if not follow:
                    return
                log.wait(after=position, timeout_seconds=WAIT_SECONDS)
    finally:
        log.close()


@events_group.command("migrate")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.pass_obj
def migrate_command(addresses: Addresses, dry_run: bool) -> None:
    """Bring the log's tables up to date."""
    from deploy.local.migrating import migrate, pending

    names = pending(addresses.postgres_url) if dry_run else migrate(addresses.postgres_url)
    done = "to be applied" if dry_run else "applied"
    for name in names:
        click.echo(f"{done}: {name}")
    if not names:
        click.echo("The log's tables are up to date.")
