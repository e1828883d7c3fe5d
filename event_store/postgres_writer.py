"""The one connection that batches of threads are written over."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
from psycopg import pq

from event_store.errors import StoreUnavailable
from event_store.postgres_append import ROW_TYPES, STATEMENTS, Parameters, RowTypes
from event_store.postgres_arrays import read_row
from event_store.postgres_connections import connect, unavailable_is_typed
from event_store.postgres_insert import STATEMENT as INSERT_STATEMENT
from event_store.postgres_statements import STATEMENT_TIMEOUT_SECONDS, StatementConnection

LOCK_TIMEOUT_SECONDS = 2  # how long one stalled writer can keep the others waiting

SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",  # Batches differ in nothing that a plan could know.
}


class WriterConnection(StatementConnection):
    """A connection on which the writing functions are prepared."""

    def __init__(self, url: str, schema: str, *, read_only: bool) -> None:
        connection = connect(url, schema, read_only=read_only, settings=SETTINGS)
        try:
            row = connection.execute(ROW_TYPES).fetchone()
            assert row is not None
            self.row_types = RowTypes(*row)
            super().__init__(connection, {**STATEMENTS, "insert_events": INSERT_STATEMENT})
        except BaseException:
            connection.close()
            raise


def columns_of(result: pq.abc.PGresult) -> list[bytes | None]:
    """The function's row, each column in binary form; what the server said instead is raised."""
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(result)
    row = result.get_value(0, 0)
    assert row is not None
    return read_row(row)


class PostgresWriter:
    """Calls one of the writing functions at a time; connects again when the connection was lost."""

    def __init__(self, url: str, schema: str, *, read_only: bool) -> None:
        self._url = url
        self._schema = schema
        self._read_only = read_only  # Then the server refuses every call.
        self._connection: WriterConnection | None = None
        self._closed = False
        self._mutex = threading.Lock()

    def call(self, function: str, parameters: Callable[[RowTypes], Parameters]) -> list[bytes | None]:
        """The function's row, each column in binary form.

        StoreUnavailable when the server is away or too slow: it is not known whether the call was done.
        """
        with self._mutex, unavailable_is_typed():
            connection = self._connected()
            try:
                connection.send(function, parameters(connection.row_types))
                result = connection.answer()
            except BaseException:
                self._drop()
                raise
            if connection.pgconn.status != pq.ConnStatus.OK:
                self._drop()
            return columns_of(result)

    def connection(self) -> WriterConnection:
        """A new connection for batches that do not come through `call`. StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("this log is closed")
        with unavailable_is_typed():
            return WriterConnection(self._url, self._schema, read_only=self._read_only)

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            self._drop()

    def _connected(self) -> WriterConnection:
        if self._closed:
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
