"""`daybook import`: a real shop's books, through the same rules as everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import click


class System(Protocol):
    """What the command line finds of the system (`ctx.obj`)."""

    @property
    def postgres_url(self) -> str:
        """Where the log is."""

    @property
    def data_dir(self) -> Path:
        """The system's own folder."""

    @property
    def read(self) -> str | None:
        """The query side's root URL, where one is known to run."""


@click.group("import")
def import_group() -> None:
    """Load a real shop's books."""


@import_group.command("online-retail")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--aside",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to list the lines that get no event. [default: imports/ in the data folder]",
)
@click.pass_obj
def online_retail_command(system: System, file: Path, aside: Path | None) -> None:
    """Import FILE (.csv or .csv.gz) in the format of the data set "Online Retail".

    Every invoice is imported once for ever: where an import was stopped, the next one goes on. The table at
    the end accounts for every line; the exit code is 1 when it does not add up.
    """
    from commands.importing.running import ImportFailed, import_file

    try:
        adds_up = import_file(
            file,
            postgres_url=system.postgres_url,
            data_dir=system.data_dir,
            read_url=system.read,
            aside=aside,
        )
    except ImportFailed as error:
        raise click.ClickException(str(error)) from error
    if not adds_up:
        raise click.exceptions.Exit(1)
