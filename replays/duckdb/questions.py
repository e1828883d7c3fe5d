"""Events as tables that SQL may ask about, and nothing else: no file is written, none but the export is read.

Each type of event is a view, `cart.item_added` being `cart_item_added`; `events` has what all have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from event_store.history import has
from event_store.records import START, Checkpoint, EventReader
from replays.duckdb.views import View, ready_made
from replays.export.errors import AnotherExport, ExportError
from replays.export.folder import Folder
from replays.export.manifest import Manifest
from replays.export.pages import Pages
from replays.export.shapes import ENVELOPE
from replays.export.tables import event_tables

Progress = Callable[[int, int], None]

ROWS_AT_ONCE = 10_000

ASKING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}
"""SELECT, VALUES, DESCRIBE, SHOW and SUMMARIZE are of the first kind, PIVOT of the last."""

EVENTS = View("events", "One row an event, of every type: what all of them have.", "")


class SqlError(Exception):
    """The question cannot be answered; the message says why."""


class Refused(SqlError):  # noqa: N818
    """It is no question: it would change something."""

    def __init__(self) -> None:
        super().__init__(
            "this only answers questions (SELECT, VALUES, DESCRIBE, SHOW, SUMMARIZE, PIVOT, EXPLAIN);"
            " --output writes an answer to a file"
        )


class Tail:
    """The events of a running log after a checkpoint, in memory."""

    def __init__(
        self, log: EventReader, after: Checkpoint = START, progress: Progress = lambda position, head: None
    ) -> None:
        """Reads them all. AnotherHistory where the log has another event at the checkpoint."""
        self.head = log.head()
        pieces: dict[str, list[pa.Table]] = {}
        progress(after.position, self.head)
        with Pages(log, after, self.head) as pages:
            while (page := pages.take()) is not None:
                for name, table in page.tables.items():
                    pieces.setdefault(name, []).append(table)
                progress(page.checkpoint.position, self.head)
        self.tables = {name: pa.concat_tables(those) for name, those in pieces.items()}


class Questions:
    """Answers SQL, one question at a time."""

    def __init__(
        self, folder: Folder | None = None, manifest: Manifest | None = None, tail: Tail | None = None
    ) -> None:
        """Over the files that the manifest names and what is newer; each may be missing."""
        self._connection = duckdb.connect(
            ":memory:",
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
        )
        self._tell_events(folder, manifest, {} if tail is None else tail.tables)
        for view in ready_made():
            self._connection.execute(f"CREATE TEMP VIEW {view.name} AS {view.select}")
        # From here on nothing can be read but what was told, and no setting brings it back.
        for setting in (
            "TimeZone = 'UTC'",
            "python_enable_replacements = false",
            "temp_directory = ''",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")

    def answers(self, sql: str) -> list[Answer]:
        """An answer to each statement, not yet worked out: Refused unless all are questions. SqlError."""
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise SqlError(str(error).strip()) from error
        if not statements:
            raise SqlError("there is no question in it")
        if any(statement.type not in ASKING for statement in statements):
            raise Refused
        return [Answer(self._connection, statement) for statement in statements]

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell_events(
        self, folder: Folder | None, manifest: Manifest | None, tail: Mapping[str, pa.Table]
    ) -> None:
        places: dict[str, list[str]] = {}
        for part in () if folder is None or manifest is None else manifest.parts:
            assert folder is not None
            places.setdefault(part.type, []).append(folder.place(part.file))
        if unknown := sorted(places.keys() - event_tables().keys()):
            raise ExportError(f"the export has events of the type {unknown[0]}, which only newer code knows")
        envelopes = []
        for name, shape in event_tables().items():
            parts = [ds.dataset(tail.get(name, shape.schema.empty_table()))]
            if name in places:
                assert folder is not None
                files = ds.dataset(
                    places[name], schema=shape.schema, filesystem=folder.files, format="parquet"
                )
                parts.insert(0, files)
            self._connection.register(view_of(name), parts[0] if len(parts) == 1 else ds.dataset(parts))
            if name in places or name in tail:
                envelopes.append(name)
        columns = ", ".join(column for column, _ in ENVELOPE)
        selects = [f"SELECT {columns} FROM {view_of(name)}" for name in envelopes or event_tables()]
        self._connection.execute(f"CREATE TEMP VIEW events AS {' UNION ALL '.join(selects)}")


class Rows:
    """The rows of an answer as they are worked out: Arrow's record batches. SqlError while they are read."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader

    @property
    def schema(self) -> pa.Schema:
        return self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._reader
        except OSError as error:  # as Arrow passes on what DuckDB says
            raise SqlError(str(error).strip()) from error


class Answer:
    """What one statement comes to."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, statement: Any) -> None:
        self._connection, self._statement = connection, statement

    def give(self, take: Callable[[Rows], None]) -> None:
        """Works it out, and has `take` read the rows meanwhile. SqlError for what fails on the way.

        A Ctrl-C ends it at once, and is a KeyboardInterrupt here.
        """
        with ThreadPoolExecutor(1) as working:  # Python hears Ctrl-C only while its main thread waits for it.
            given = working.submit(self._give, take)
            try:
                given.result()
            except KeyboardInterrupt:
                self._connection.interrupt()
                raise

    def _give(self, take: Callable[[Rows], None]) -> None:
        self._connection.begin()
        try:
            take(Rows(self._connection.sql(self._statement).to_arrow_reader(ROWS_AT_ONCE)))
        except (duckdb.Error, pa.ArrowException) as error:
            raise SqlError(str(error).strip()) from error
        finally:
            with suppress(duckdb.Error):  # Nothing is left of what EXPLAIN ANALYZE has tried.
                self._connection.rollback()


def view_of(name: str) -> str:
    """What the view of a type of events is called."""
    return name.replace(".", "_")


def check(log: EventReader, manifest: Manifest, folder: Folder) -> None:
    """AnotherExport where the files are of another log, or of another history of it."""
    if manifest.log != log.log_id() or not has(log, manifest.checkpoint):
        raise AnotherExport(
            f"{folder.address} has the export of another log, or of events that this log does not have any"
            " more: name another folder with --files, or ask it alone with --no-log"
        )
