"""One import from end to end: the log held, the file imported, the account printed, the views awaited."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import structlog

from aggregates.event_types import EVENT_TYPES
from aggregates.kernel import Rejected
from commands.importing.online_retail.importer import OnlineRetailImport, Result
from commands.importing.online_retail.table import table
from commands.importing.progress import Progress
from commands.importing.reading.dates import DateForm
from commands.importing.reading.reading import Reading, read_file
from commands.importing.reading.refusals import NotOnlineRetail
from commands.importing.views import ViewsUnreachable, wait_for_views
from commands.loop.decision import BusyError
from event_store.codec import Codec
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog

LOCK = "import"
DIFFERING_SHOWN_MAX = 10


class ImportFailed(Exception):  # noqa: N818
    """The import could not be done; the message is for whoever asked for it."""


def import_file(
    file: Path,
    *,
    postgres_url: Callable[[], str],
    data_dir: Path,
    read_url: str | None,
    aside: Path | None = None,
    dates: DateForm | None = None,
) -> bool:
    """Imports `file` and prints the account; whether it adds up. Raises ImportFailed and EventStoreError.

    The system's address is asked for when the file was read.
    """
    progress, began = Progress(), time.monotonic()
    with _told(progress), few_collections(), _read(file, dates, progress) as reading:
        log = PostgresLog.open(postgres_url())
        try:
            with quiet_logs(), _alone(log):
                listed = partial(_aside_of, data_dir, aside)
                importing = OnlineRetailImport(log, Codec(EVENT_TYPES), reading, listed, progress)
                result = asyncio.run(importing.run())
        finally:
            log.close()
    report(result, seconds=time.monotonic() - began)
    if read_url is not None:
        await_views(read_url, result.head, progress)
    return result.account.adds_up


def dry_run(file: Path, *, postgres_url: str | None, dates: DateForm | None = None) -> bool:
    """Prints the account that importing `file` would end with, and writes nothing.

    Without the address of a system the log is taken to be empty. Raises as `import_file` does.
    """
    progress, began = Progress(), time.monotonic()
    with _told(progress), _read(file, dates, progress) as reading:
        log: EventLog
        if postgres_url is None:
            progress.tell("no running system was found: the log is taken to be empty")
            log = MemoryLog()
        else:
            log = PostgresLog.open(postgres_url)
        try:
            importing = OnlineRetailImport(log, Codec(EVENT_TYPES), reading, lambda _: file, progress)
            result = asyncio.run(importing.dry_run())
        finally:
            log.close()
    report(result, seconds=time.monotonic() - began)
    return result.account.adds_up


@contextmanager
def _told(progress: Progress) -> Iterator[None]:
    """Ends in one line what could not be done."""
    try:
        yield
    except NotOnlineRetail as error:
        raise ImportFailed(str(error)) from error
    except OSError as error:
        raise ImportFailed(
            f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}"
        ) from error
    except Rejected as error:
        raise ImportFailed(f"what it has to write was refused: {error.reason}") from error
    except BusyError as error:
        raise ImportFailed("others kept writing what the import reads; start it again to go on") from error
    finally:
        progress.close()


def _read(file: Path, dates: DateForm | None, progress: Progress) -> Reading:
    progress.stage("reading the file", unit=" lines")
    reading = read_file(file, dates=dates, moved=progress.advance)
    progress.tell(f"read as {reading.outline.said}")
    return reading


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
    say(f"read as {result.outline.said}")
    parts = result.outline.parts
    if parts.again:
        say(f"{parts.again:,} invoices stand in more than one part of the file and count where they first do")
        _say_some("There with other lines", sorted(parts.differing))
    say(f"{_done(result)}; {result.outline.lines:,} lines in {seconds:,.1f} s")
    if result.aside is not None and any(count.lines for count in result.account.aside.values()):
        say(f"listed aside, each with its reason: {result.aside}")
    if result.account.adds_up:
        say("Every line is accounted for, to the penny.")
        return
    say("THE ACCOUNT DOES NOT ADD UP.")
    _say_some("In the log with other lines than in the file", list(result.account.differing))
    for number, how in list(result.account.differing.items())[:DIFFERING_SHOWN_MAX]:
        say(f"  {number}: {how}")


def _done(result: Result) -> str:
    """What of the file was new to the log."""
    if result.aside is None:
        return (
            f"{result.written:,} of {result.invoices:,} invoices would be new to the log; nothing was written"
        )
    if result.written == 0:
        return f"nothing changed: what {result.invoices:,} invoices have for the log was in it"
    return f"{result.written:,} of {result.invoices:,} invoices were new to the log"


def _say_some(said: str, numbers: Sequence[str]) -> None:
    if numbers:
        more = len(numbers) - DIFFERING_SHOWN_MAX
        say(f"{said}: {', '.join(numbers[:DIFFERING_SHOWN_MAX])}{f' and {more:,} more' if more > 0 else ''}")


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
def few_collections() -> Iterator[None]:
    """Lets the garbage collector run less often: an import makes many objects that stay, and few cycles."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
