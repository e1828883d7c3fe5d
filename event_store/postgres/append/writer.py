"""The one connection that batches of threads are written over."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import psycopg
from psycopg import pq

from event_store.errors import AnotherLog, StoreUnavailable
from event_store.postgres.append.append_one import whole
from event_store.postgres.append.arrays import RECORD_OID, read_row
from event_store.postgres.append.batch import ROW_TYPES, STATEMENTS, Journal, Parameters, RowTypes, Written
from event_store.postgres.append.end import LogEnd
from event_store.postgres.append.insert import STATEMENT as INSERT_STATEMENT
from event_store.postgres.append.insert import InsertBatch
from event_store.postgres.append.rows import CommandParcel
from event_store.postgres.append.statements import STATEMENT_TIMEOUT_SECONDS, StatementConnection
from event_store.postgres.connections import connect, unavailable_is_typed

LOCK_TIMEOUT_SECONDS = 2  # how long one stalled writer can keep the others waiting

SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",  # Batches differ in nothing that a plan could know.
}


class WriterConnection(StatementConnection):
    """A connection on which the writing functions are prepared."""

    def __init__(self, url: str, schema: str, *, read_only: bool, closing: threading.Event) -> None:
        connection = connect(url, schema, read_only=read_only, settings=SETTINGS, closing=closing)
        try:
            row = connection.execute(ROW_TYPES).fetchone()
            assert row is not None
            self.row_types = RowTypes(*row[:2])
            self.log_id = str(row[2])
            self.end = LogEnd()
            super().__init__(connection, {**STATEMENTS, "insert_events": INSERT_STATEMENT})
        except BaseException:
            connection.close()
            raise


def columns_of(result: pq.abc.PGresult) -> list[bytes | None]:
    """The function's row or value, each column in binary form; what the server said instead is raised."""
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(result)
    data = result.get_value(0, 0)
    if result.ftype(0) != RECORD_OID:
        return [data]
    assert data is not None
    return read_row(data)


class PostgresWriter:
    """Calls one of the writing functions at a time; connects again when the connection was lost.

    StoreUnavailable when the server is away or too slow: it is not known whether the call was done.
    """

    def __init__(
        self, url: str, schema: str, journal: Journal, *, read_only: bool, closing: threading.Event
    ) -> None:
        """Once `closing` is set, nobody waits for a connection any more."""
        self._url = url
        self._schema = schema
        self._journal = journal
        self._read_only = read_only  # Then the server refuses every call.
        self._connection: WriterConnection | None = None
        self._log_id: str | None = None  # of the first connection
        self._closing = closing
        self._mutex = threading.Lock()

    def append(self, parcels: Sequence[CommandParcel]) -> Written:
        """The outcomes, parcel by parcel, and the new head."""
        with self._mutex, unavailable_is_typed:
            connection = self._connected()
            batch = whole(parcels, connection.end)
            if batch.smooth:
                try:
                    answer = self._ask(connection, batch.function, batch.parameters(connection.row_types))
                except psycopg.errors.UniqueViolation:
                    pass  # A command of the batch is in the journal.
                else:
                    written = batch.appended(answer)
                    if written is not None:
                        return written
            connection = self._connected()
            judged = batch.as_batch()
            parameters = judged.append_each_parameters(connection.row_types)
            answer = self._ask(connection, "append_each", parameters)
            connection.end.forget()
        return judged.judged(answer, self._journal)

    def insert(self, batch: InsertBatch) -> tuple[list[list[int] | None], int]:
        """For each parcel its events' positions, or None where it was refused; and the new head."""
        with self._mutex, unavailable_is_typed:
            connection = self._connected()
            answer = self._ask(connection, "insert_events", batch.parameters())
            connection.end.forget()
        return batch.results(answer)

    def connection(self) -> WriterConnection:
        """A new connection for batches that do not come through here. StoreUnavailable."""
        if self._closing.is_set():
            raise StoreUnavailable("this log is closed")
        with unavailable_is_typed:
            made = WriterConnection(self._url, self._schema, read_only=self._read_only, closing=self._closing)
        self._log_id = self._log_id or made.log_id
        if made.log_id != self._log_id:
            # Keys, hashes and states of the one are nothing to the other: only a process begun anew has none.
            made.close()
            raise AnotherLog(f"this process began with the log {self._log_id}; here stands {made.log_id}")
        return made

    def close(self) -> None:
        self._closing.set()
        with self._mutex:
            self._drop()

    def _ask(self, connection: WriterConnection, function: str, parameters: Parameters) -> list[bytes | None]:
        try:
            connection.send(function, parameters)
            result = connection.answer()
        except BaseException:
            self._drop()
            raise
        if connection.pgconn.status != pq.ConnStatus.OK:
            self._drop()
        return columns_of(result)

    def _connected(self) -> WriterConnection:
        if self._closing.is_set():
            raise StoreUnavailable("this log is closed")
        if self._connection is not None and self._connection.was_lost():
            self._drop()  # While nothing was under way: connect again rather than fail a call.
        if self._connection is None:
            self._connection = self.connection()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
