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
    """Bring the log's tables up to date, and give the roles that read and write it their rights.

    Writers may go on meanwhile, and any number of these may start at once. To be run as the log's owner.
    """
    from deploy.local.migrating import ROLES, grant, migrate, pending

    url = addresses.postgres_url
    names = pending(url) if dry_run else migrate(url)
    for name in names:
        click.echo(f"{'to be applied' if dry_run else 'applied'}: {name}")
    if not names:
        click.echo("The log's tables are up to date.")
    if dry_run:
        for role, may in ROLES.items():
            click.echo(f"to be granted: {role} {may}")
        return
    granted = grant(url)
    if granted is None:
        click.echo("not granted: the log belongs to another role, whose part this is")
        return
    for role, may in ROLES.items():
        if role in granted:
            click.echo(f"granted: {role} {may}")
        else:
            click.echo(f"not granted: there is no role {role}, and this one may not make it")
