"""Writing what is new in the log into a folder's files."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from event_store.errors import AnotherHistory
from event_store.history import LIMIT_MAX, has, read_on
from event_store.records import Checkpoint, EventReader, RecordedEvent
from replays.export.errors import AnotherExport, ExportError, NotAnExport
from replays.export.folder import Folder
from replays.export.manifest import Manifest, Part, is_ours, load, save
from replays.export.tables import event_tables, tables_of

PAGE = LIMIT_MAX
PAGES_AHEAD = 3
STEP_EVENTS = 200_000
STEP_BYTES = 256 * 2**20
"""After so many events, or so much of them in memory, files are written and the manifest names them: what a
killed run did before is kept, and no file is large."""

Progress = Callable[[int, int], None]
"""Called with the position that was reached, and that of the end."""


def export(
    log: EventReader,
    folder: Folder,
    *,
    progress: Progress = lambda position, head: None,
    still_alone: Callable[[], bool] = lambda: True,
    step_events: int = STEP_EVENTS,
) -> Manifest:
    """Brings the folder up to the log's present end; its manifest after that.

    `still_alone` says whether nobody else can have begun to write there; it is asked before each manifest.

    AnotherExport where it has the events of another log or history, NotAnExport where it has other things;
    then nothing there is changed. ExportError for what fails on the way: what was exported before stays.
    """
    with folder.alone(), _without_collections():
        manifest = _begun(log, folder)
        head = log.head()
        progress(manifest.checkpoint.position, head)
        try:
            with _Pages(log, manifest.checkpoint, head) as pages:
                while (step := _step(pages, step_events, lambda at: progress(at, head))) is not None:
                    parts = tuple(_write(folder, step.tables))
                    if not still_alone() or load(folder) != manifest:
                        raise ExportError(f"{folder.address}: another export writes there now")
                    manifest = msgspec.structs.replace(
                        manifest, checkpoint=step.checkpoint, parts=(*manifest.parts, *parts)
                    )
                    save(folder, manifest)
        except AnotherHistory as error:
            raise _another(folder) from error
    return manifest


def _begun(log: EventReader, folder: Folder) -> Manifest:
    """The folder's manifest, made where the folder is empty; what a killed run left is deleted."""
    manifest, log_id, names = load(folder), log.log_id(), folder.names()
    if manifest is None:
        if others := sorted(name for name in names if not is_ours(name)):
            raise NotAnExport(f"{folder.address} has other things in it ({others[0]}): name an empty folder")
        if any(name.endswith(".parquet") for name in names):
            raise NotAnExport(
                f"{folder.address} has files of an export and no manifest: name an empty folder"
            )
        manifest = Manifest(log=log_id)
        save(folder, manifest)
    elif manifest.log != log_id or not has(log, manifest.checkpoint):
        raise _another(folder)
    named = {part.file for part in manifest.parts}
    for name in names:
        if is_ours(name) and name not in named and not name.startswith("manifest.json"):
            folder.delete(name)
    return manifest


def _another(folder: Folder) -> AnotherExport:
    return AnotherExport(
        f"{folder.address} has the export of another log, or of events that this log does not have any more:"
        " name another folder, or delete that one"
    )


class _Page(NamedTuple):
    """Some events that follow each other, as tables by type, and the place after them."""

    tables: dict[str, pa.Table]
    checkpoint: Checkpoint
    size: int  # events


class _Pages:
    """The log's events from a checkpoint on. While one page is taken, one is read and two become tables."""

    def __init__(self, log: EventReader, after: Checkpoint, head: int) -> None:
        self._log, self._after, self._head = log, after, head
        self._shapes = event_tables()
        self._reading, self._converting = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        self._ahead: deque[Future[_Page | None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._reading, self._converting):
            pool.shutdown(cancel_futures=True)

    def take(self) -> _Page | None:
        """The next page; None after the last. AnotherHistory where the log has other events now than those
        before it, UnknownEvent, DecodingFailed."""
        while len(self._ahead) < PAGES_AHEAD:
            self._ahead.append(self._converting.submit(self._convert, self._reading.submit(self._read)))
        return self._ahead.popleft().result()

    def _read(self) -> list[RecordedEvent]:
        """In one thread, page after page."""
        if self._after.position >= self._head:
            return []
        events = read_on(self._log, self._after, limit=PAGE, up_to=self._head)
        if not events:
            raise AnotherHistory(f"the log ends before position {self._head}")
        self._after = events[-1].checkpoint
        return events

    def _convert(self, reading: Future[list[RecordedEvent]]) -> _Page | None:
        events = reading.result()
        if not events:
            return None
        return _Page(tables_of(events, self._shapes), events[-1].checkpoint, len(events))


def _step(pages: _Pages, step_events: int, progress: Callable[[int], None]) -> _Page | None:
    """Some pages as one; None after the last."""
    pieces: dict[str, list[pa.Table]] = {}
    page, count, size = None, 0, 0
    while count < step_events and size < STEP_BYTES and (taken := pages.take()) is not None:
        page = taken
        for name, table in page.tables.items():
            pieces.setdefault(name, []).append(table)
            size += table.nbytes
        count += page.size
        progress(page.checkpoint.position)
    if page is None:
        return None
    return _Page({name: pa.concat_tables(those) for name, those in pieces.items()}, page.checkpoint, count)


def _write(folder: Folder, tables: dict[str, pa.Table]) -> Iterator[Part]:
    with ThreadPoolExecutor(2) as writing:
        written = [
            writing.submit(_write_part, folder, name, month, part)
            for name, table in sorted(tables.items())
            for month, part in _by_month(table)
        ]
        for one in written:
            yield one.result()


def _by_month(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    months = pc.strftime(table["valid_at"], format="%Y-%m")
    for month in sorted(pc.unique(months).to_pylist()):
        yield month, table.filter(pc.equal(months, month))


def _write_part(folder: Folder, name: str, month: str, table: pa.Table) -> Part:
    positions = table["position"]
    first, last = positions[0].as_py(), positions[-1].as_py()
    file = f"{name}/month={month}/part-{first}-{last}.parquet"
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = memoryview(sink.getvalue())
    folder.write(file, content)
    return Part(
        file=file,
        type=name,
        month=month,
        first=first,
        last=last,
        rows=table.num_rows,
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
    )


@contextmanager
def _without_collections() -> Iterator[None]:
    """A page of events is ten thousands of objects without a cycle among them: looking for cycles in them
    would take longer than all the rest."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
