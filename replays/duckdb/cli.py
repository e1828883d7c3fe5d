"""`daybook sql`: questions about the log, over its files and what is newer.

`ctx.obj` has `postgres_url`, the log's address, and `data_dir`, the data folder.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from event_store.errors import EventStoreError
from event_store.postgres.log import PostgresLog
from replays.export.errors import AnalysisMissing, ExportError

if TYPE_CHECKING:
    from replays.duckdb.questions import Answer, Questions

LARGE_TAIL = 200_000
"""So many events are read from the log in some seconds: whoever asks twice does better with files."""


@click.command("sql")
@click.argument("sql", required=False)
@click.option(
    "--files", metavar="DIR", help="The export: a folder or s3://…; default: export/ in the data folder."
)
@click.option("--no-log", is_flag=True, help="Only what the files have; no system need run.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Where the answer goes.")
@click.pass_obj
def sql_command(
    addresses: Any, sql: str | None, *, files: str | None, no_log: bool, form: str, output: Path | None
) -> None:
    """Answers SQL about the log; without a question it asks for some (.help there says how).

    What `daybook replays export` wrote and what is newer in the running log are one. There is a table for
    each type of event (cart_item_added, orders_order_placed…), events has what all have in common, and
    orders, lines, carts, funnel, cohorts, stock_movements and customer_value are ready-made. Nothing can be
    written, and nothing else be read.
    """
    try:
        from replays.duckdb.questions import SqlError
    except ImportError as error:
        raise click.ClickException(str(AnalysisMissing(error))) from error
    try:
        if sql is None and (output is not None or form != "table"):
            raise click.UsageError(
                '--format and --output are for a question that is given: daybook sql "SELECT …"'
            )
        if form == "parquet" and output is None:
            raise click.UsageError("Parquet is no text: --output FILE says where it goes")
        if sql is not None:
            with _open(addresses, files, no_log=no_log) as questions:
                _answer(questions.answers(sql), form, output)
            return
        from replays.duckdb.shell import Shell

        Shell(lambda: _open(addresses, files, no_log=no_log), addresses.data_dir / "sql_history").run()
    except (ExportError, SqlError) as error:
        raise click.ClickException(str(error)) from error


def _open(addresses: Any, files: str | None, *, no_log: bool) -> Questions:
    """The events as they are now."""
    from replays.duckdb.questions import Questions, Tail, check
    from replays.export.folder import Folder
    from replays.export.manifest import load
    from replays.export.verify import manifest_of

    folder = Folder(files or str(addresses.data_dir / "export"))
    manifest = manifest_of(folder) if files or no_log else load(folder)
    if no_log:
        return Questions(folder, manifest)
    try:
        opened = PostgresLog.open(addresses.postgres_url, read_only=True)
    except EventStoreError as error:
        raise ExportError(f"{error} (--no-log asks the files alone)") from error
    with (
        closing(opened) as log,
        tqdm(unit=" events", unit_scale=True, delay=1, leave=False, file=sys.stderr) as bar,
    ):

        def progress(position: int, head: int) -> None:
            bar.total = head
            bar.update(position - bar.n)

        if manifest is None:
            tail = Tail(log, progress=progress)
        else:
            check(log, manifest, folder)
            tail = Tail(log, manifest.checkpoint, progress)
    newer = tail.head - (0 if manifest is None else manifest.checkpoint.position)
    if newer > LARGE_TAIL:
        click.echo(
            f"{newer:,} events are in no file: `daybook replays export {folder.address}` makes this faster",
            err=True,
        )
    return Questions(folder, manifest, tail)


def _answer(answers: list[Answer], form: str, output: Path | None) -> None:
    from replays.duckdb.formats import FORMATS

    if output is None:
        for answer in answers:
            answer.give(lambda rows: FORMATS[form](rows, sys.stdout.buffer))
        sys.stdout.buffer.flush()
        return
    if len(answers) > 1:
        raise click.UsageError("--output takes the answer to one question")
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as out:
            answers[0].give(lambda rows: FORMATS[form](rows, out))
        temporary.replace(output)  # Whole, or what was there before.
    except OSError as error:
        raise ExportError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
