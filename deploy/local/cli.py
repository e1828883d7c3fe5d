"""`daybook up` and `daybook demo`."""

from __future__ import annotations

from pathlib import Path

import click

DEMOS = ("sample", "retail", "retail-year")


@click.command("up")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="Else DAYBOOK_DATA_DIR, or ./.daybook."
)
@click.option("--demo", type=click.Choice(["none", *DEMOS]), default="none", show_default=True)
@click.option(
    "--commands",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Command processes on the one port.",
)
def up_command(data: Path | None, demo: str, commands: int) -> None:
    """Run PostgreSQL, Redis, the command, projector and query processes until Ctrl-C or SIGTERM.

    Each server whose address is given (DAYBOOK_POSTGRES_URL, DAYBOOK_REDIS_URL) is used instead of one of
    our own. What was written stays in the data folder; the next `up` goes on from there.
    """
    from deploy.local.addresses import data_folder
    from deploy.local.settings import LocalSettings
    from deploy.local.supervisor import Wanted, up

    up(Wanted(data=data_folder(data), demo=demo, commands=commands), LocalSettings())
