"""`daybook replays export`: the log as Parquet files."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Any

import click
from tqdm import tqdm

from event_store.postgres.log import PostgresLog
from replays.export.errors import AnalysisMissing, ExportError


@click.command("export")
@click.argument("address", metavar="DIR")
@click.option("--verify", "only_verify", is_flag=True, help="Check the files that are there; needs no log.")
@click.pass_obj
def export_command(addresses: Any, address: str, *, only_verify: bool) -> None:
    """Writes the events that DIR does not have yet: Parquet, a table for each type of event.

    DIR is a folder, or an address s3://bucket/path (AWS_… variables say how it is reached). Run it as often
    as you like: it goes on from where it was, also after it was killed. What is personal is left out.
    """
    try:
        if only_verify:
            _verify(address)
        else:
            _export(addresses, address)
    except ExportError as error:
        raise click.ClickException(str(error)) from error


def _export(addresses: Any, address: str) -> None:
    try:
        from replays.export.export import export
        from replays.export.folder import Folder
    except ImportError as error:
        raise AnalysisMissing(error) from error
    began = time.monotonic()
    with (
        closing(PostgresLog.open(addresses.postgres_url, read_only=True)) as log,
        tqdm(unit=" events", unit_scale=True, mininterval=0.5, file=sys.stderr) as bar,
    ):
        before: list[int] = []

        def progress(position: int, head: int) -> None:
            if not before:
                before.append(position)
                bar.total = head - position
            bar.update(position - before[0] - bar.n)

        folder = Folder(address)
        alone = log.try_exclusive(f"export to {folder.path}")
        if alone is None:
            raise ExportError(f"{address}: another export writes there now")
        try:
            manifest = export(log, folder, progress=progress, still_alone=alone.still_held)
        finally:
            alone.release()
    seconds, new = time.monotonic() - began, manifest.checkpoint.position - before[0]
    click.echo(
        f"{new:,} new events in {seconds:.1f} s: {manifest.checkpoint.position:,} are in"
        f" {len(manifest.parts):,} files of {sum(part.bytes for part in manifest.parts) / 2**20:,.1f} MiB"
    )


def _verify(address: str) -> None:
    try:
        from replays.export.folder import Folder
        from replays.export.verify import faults, manifest_of
    except ImportError as error:
        raise AnalysisMissing(error) from error
    folder = Folder(address)
    manifest = manifest_of(folder)
    with tqdm(total=len(manifest.parts), unit=" files", mininterval=0.5, file=sys.stderr) as bar:
        found = faults(folder, manifest, bar.update)
    for fault in found:
        click.echo(fault)
    if found:
        raise SystemExit(1)
    position = manifest.checkpoint.position
    click.echo(
        f"{manifest.rows:,} events up to position {position:,}, in {len(manifest.parts):,} files: whole"
    )
