"""Writing what is new in the log into a folder's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from event_store.errors import AnotherHistory
from event_store.history import has
from event_store.records import EventReader
from replays.export.errors import AnotherExport, ExportError, NotAnExport
from replays.export.folder import Folder
from replays.export.manifest import Manifest, Part, is_ours, load, save
from replays.export.pages import Page, Pages

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
    with folder.alone():
        manifest = _begun(log, folder)
        head = log.head()
        progress(manifest.checkpoint.position, head)
        try:
            with Pages(log, manifest.checkpoint, head) as pages:
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


def _step(pages: Pages, step_events: int, progress: Callable[[int], None]) -> Page | None:
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
    return Page({name: pa.concat_tables(those) for name, those in pieces.items()}, page.checkpoint, count)


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
