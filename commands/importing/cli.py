"""`daybook import`: a real shop's books, through the same rules as everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import click


class Addresses(Protocol):
    """What the command line knows of the system (`ctx.obj`)."""

    postgres_url: str  # asked for, it must be known
    postgres: str | None  # the same, or None where no system is known
    data_dir: Path
    read: str | None  # the query side's root URL


@click.group("import")
def import_group() -> None:
    """Load a real shop's books."""


@import_group.command("online-retail")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--dates",
    type=click.Choice(["iso", "day-month", "month-day"]),
    help="The form of the file's dates, where the file itself does not show it.",
)
@click.option("--dry-run", is_flag=True, help="Show the table and write nothing; needs no running system.")
@click.option(
    "--aside",
    "rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to list the lines that get no event. [default: imports/ in the data folder]",
)
@click.pass_obj
def online_retail_command(
    addresses: Addresses, file: Path, dates: str | None, dry_run: bool, rejects: Path | None
) -> None:
    """Import FILE (.csv, .csv.gz or .xlsx) in the format of the data set "Online Retail" or its
    later edition "Online Retail II".

    Every invoice is imported once for ever: where an import was stopped, the next one goes on, and an invoice
    that both editions have counts once. How the file is read is found from all of it. The table at the
    end accounts for every line; the exit code is 1 when it does not add up.
    """
    from commands.importing import running
    from commands.importing.reading.dates import DateForm

    form = None if dates is None else DateForm(dates)
    try:
        if dry_run:
            adds_up = running.dry_run(file, postgres_url=addresses.postgres, dates=form)
        else:
            adds_up = running.import_file(
                file,
                postgres_url=lambda: addresses.postgres_url,
                data_dir=addresses.data_dir,
                read_url=addresses.read,
                rejects=rejects,
                dates=form,
            )
    except running.ImportFailed as error:
        raise click.ClickException(str(error)) from error
    if not adds_up:
        raise click.exceptions.Exit(1)
