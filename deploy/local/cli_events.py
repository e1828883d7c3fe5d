"""`daybook events`: the log as it grows, and its schema."""

from __future__ import annotations

import click

from deploy.local.addresses import Addresses
from replays.cli import events_tail


@click.group("events")
def events_group() -> None:
    """The log itself."""


events_group.add_command(events_tail)


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
