"""One import from end to end: the log held, the file imported, the account printed, the views awaited."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import structlog

from aggregates.event_types import EVENT_TYPES
from commands.decision import BusyError
from commands.importing.importer import FileChanged, OnlineRetailImport, Result
from commands.importing.online_retail import NotOnlineRetail
from commands.importing.progress import Progress
from commands.importing.table import table
from commands.importing.views import ViewsUnreachable, wait_for_views
from event_store.codec import Codec
from event_store.postgres_log import PostgresLog

LOCK = "import"
MISSING_SHOWN_MAX = 10


class ImportFailed(Exception):  # noqa: N818
    """The import could not be done; the message is for whoever asked for it."""


def import_file(
    file: Path, *, postgres_url: str, data_dir: Path, read_url: str | None, aside: Path | None = None
) -> bool:
    """Imports `file` and prints the account; whether it adds up. Raises ImportFailed and EventStoreError."""
    progress = Progress()
    log = PostgresLog.open(postgres_url)
    try:
        began = time.monotonic()
        with quiet_logs(), _alone(log):
            listed = partial(_aside_of, data_dir, aside)
            importing = OnlineRetailImport(log, Codec(EVENT_TYPES), file, listed, progress)
            result = asyncio.run(importing.run())
    except (NotOnlineRetail, FileChanged) as error:
        raise ImportFailed(str(error)) from error
    except BusyError as error:
        raise ImportFailed("others kept writing what the import reads; start it again to go on") from error
    finally:
        progress.close()
        log.close()
    report(result, seconds=time.monotonic() - began)
    if read_url is not None:
        await_views(read_url, result.head, progress)
    return result.account.adds_up


@contextmanager
def _alone(log: PostgresLog) -> Iterator[None]:
    held = log.try_exclusive(LOCK)
    if held is None:
        raise ImportFailed("another import is under way: its invoices and these might belong together")
    try:
        yield
    finally:
        held.release()


def report(result: Result, *, seconds: float) -> None:
    """Prints the table, and what else there is to say of it."""
    say(table(result.account))
    say("")
    invoices = f"{result.written:,} of {result.invoices:,} invoices were new to the log"
    if result.written == 0:
        invoices = f"nothing changed: what {result.invoices:,} invoices have for the log was in it"
    say(f"{invoices}; {result.outline.lines:,} lines in {seconds:,.1f} s")
    if any(count.lines for count in result.account.aside.values()):
        say(f"listed aside, each with its reason: {result.aside}")
    if result.account.adds_up:
        say("Every line is accounted for, to the penny.")
        return
    say("THE ACCOUNT DOES NOT ADD UP.")
    missing = result.account.missing
    shown = ", ".join(missing[:MISSING_SHOWN_MAX])
    more = f" and {len(missing) - MISSING_SHOWN_MAX} more" if len(missing) > MISSING_SHOWN_MAX else ""
    if missing:
        say(f"In the log with other lines than in the file: {shown}{more}")


def await_views(read_url: str, position: int, progress: Progress) -> None:
    """Shows the read models catch up."""
    progress.stage("read models", total=position, unit=" events")
    shown = 0

    def moved(to: int) -> None:
        nonlocal shown
        progress.advance(min(to, position) - shown)
        shown = min(to, position)

    try:
        wait_for_views(read_url, position=position, moved=moved)
    except ViewsUnreachable as error:
        progress.close()
        click.echo(f"The books are written; {error}", err=True)
    else:
        progress.close()
        click.echo(f"Every read model is current at position {position:,}.", err=True)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keeps a line per command off standard output, where the table goes, and off the terminal."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def say(line: str) -> None:
    """One line of the answer."""
    click.echo(line)


def _aside_of(data_dir: Path, given: Path | None, digest: str) -> Path:
    return given or data_dir / "imports" / f"online-retail-{digest[:16]}-aside.csv"
