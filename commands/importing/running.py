"""One import from end to end: the log held, the file imported, the account printed, the views awaited."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click
import structlog

from aggregates.kernel import Rejected
from commands.codec import CODEC
from commands.importing.online_retail.importer import OnlineRetailImport, Result
from commands.importing.online_retail.table import table
from commands.importing.progress import Progress
from commands.importing.reading.dates import DateForm
from commands.importing.reading.reading import Reading, read_file
from commands.importing.reading.refusals import NotOnlineRetail
from commands.importing.views import ViewsUnreachable, wait_for_views
from commands.loop.decision import BusyError
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog

LOCK = "import"
DIFFERING_SHOWN_MAX = 10


class ImportFailed(Exception):  # noqa: N818
    """The import could not be done; the message is for its user."""


def import_file(
    file: Path,
    *,
    postgres_url: Callable[[], str],
    data_dir: Path,
    read_url: str | None,
    rejects: Path | None = None,
    dates: DateForm | None = None,
) -> bool:
    """Imports `file` and prints the account; whether it adds up. Raises ImportFailed and EventStoreError.

    `postgres_url` is called once the file was read; `rejects` is where its rejects are listed, else in the
    data folder.
    """

    def rejects_path(digest: str) -> Path:
        return rejects or data_dir / "imports" / f"online-retail-{digest[:16]}-aside.csv"

    progress, began = Progress(), time.monotonic()
    with (
        _reading(file, dates, progress) as reading,
        closing(PostgresLog.open(postgres_url())) as log,
        quiet_logs(),
        _alone(log),
    ):
        importing = OnlineRetailImport(log, CODEC, reading, rejects_path, progress)
        result = asyncio.run(importing.run())
    report(result, seconds=time.monotonic() - began)
    if read_url is not None:
        await_views(read_url, result.head, progress)
    return result.account.adds_up


def dry_run(file: Path, *, postgres_url: str | None, dates: DateForm | None = None) -> bool:
    """Prints the account that importing `file` would end with, and writes nothing.

    Without the address of a system the log is taken to be empty. Raises as `import_file` does.
    """
    progress, began = Progress(), time.monotonic()
    with _reading(file, dates, progress) as reading:
        if postgres_url is None:
            progress.note("no running system was found: the log is taken to be empty")
        with closing(MemoryLog() if postgres_url is None else PostgresLog.open(postgres_url)) as log:
            importing = OnlineRetailImport(log, CODEC, reading, lambda _: file, progress)
            result = asyncio.run(importing.dry_run())
    report(result, seconds=time.monotonic() - began)
    return result.account.adds_up


@contextmanager
def _reading(file: Path, dates: DateForm | None, progress: Progress) -> Iterator[Reading]:
    """The file, read; what goes wrong from here on is an ImportFailed of one line."""
    progress.stage("reading the file", unit=" lines")
    try:
        with few_collections(), read_file(file, dates=dates, moved=progress.advance) as reading:
            progress.note(f"read as {reading.outline.description}")
            yield reading
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
    """Prints the table, and below it what it does not show."""
    account, outline = result.account, result.outline
    click.echo(f"{table(account)}\n\nread as {outline.description}")
    if outline.parts.again:
        click.echo(
            f"{outline.parts.again:,} invoices stand in more than one part of the file"
            " and count where they first do"
        )
        _print_some("There with other lines", sorted(outline.parts.differing))
    click.echo(f"{_done(result)}; {outline.lines:,} lines in {seconds:,.1f} s")
    if result.rejects is not None and any(count.lines for count in account.rejects.values()):
        click.echo(f"listed aside, each with its reason: {result.rejects}")
    if account.adds_up:
        click.echo("Every line is accounted for, to the penny.")
        return
    click.echo("THE ACCOUNT DOES NOT ADD UP.")
    _print_some("In the log with other lines than in the file", list(account.differing))
    for number, how in list(account.differing.items())[:DIFFERING_SHOWN_MAX]:
        click.echo(f"  {number}: {how}")


def _done(result: Result) -> str:
    """What of the file was new to the log."""
    if result.rejects is None:
        return (
            f"{result.written:,} of {result.invoices:,} invoices would be new to the log; nothing was written"
        )
    if result.written == 0:
        return f"nothing changed: what {result.invoices:,} invoices have for the log was in it"
    return f"{result.written:,} of {result.invoices:,} invoices were new to the log"


def _print_some(title: str, numbers: Sequence[str]) -> None:
    if numbers:
        more = len(numbers) - DIFFERING_SHOWN_MAX
        shown = ", ".join(numbers[:DIFFERING_SHOWN_MAX])
        click.echo(f"{title}: {shown}{f' and {more:,} more' if more > 0 else ''}")


def await_views(read_url: str, position: int, progress: Progress) -> None:
    """Waits until every view stands at `position`, and shows how far they are."""
    progress.stage("read models", total=position, unit=" events")
    shown = 0

    def moved(to: int) -> None:
        nonlocal shown
        progress.advance(min(to, position) - shown)
        shown = min(to, position)

    try:
        wait_for_views(read_url, position=position, moved=moved)
        outcome = f"Every read model is current at position {position:,}."
    except ViewsUnreachable as error:
        outcome = f"The books are written; {error}"
    progress.close()
    click.echo(outcome, err=True)


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
