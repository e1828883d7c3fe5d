"""The one connection that batches of threads are written over, and how long it waits for an answer."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import pq

from event_store.errors import StoreUnavailable
from event_store.postgres_append import ROW_TYPES, STATEMENTS, Parameters, RowTypes
from event_store.postgres_connections import connect, unavailable_is_typed
from event_store.postgres_insert import STATEMENT as INSERT_STATEMENT

STATEMENT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_SECONDS = 2  # how long one stalled writer can keep the others waiting

SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",  # Batches differ in nothing that a plan could know.
}


class WriterConnection:
    """A connection on which the writing functions are prepared.

    What uses it goes below the driver's cursors: binary arrays in, one row out, and a time limit that holds
    also when the server's machine is gone.
    """

    def __init__(self, url: str, schema: str, *, read_only: bool) -> None:
        self._connection: psycopg.Connection[Any] = connect(
            url, schema, read_only=read_only, settings=SETTINGS
        )
        try:
            row = self._connection.execute(ROW_TYPES).fetchone()
            assert row is not None
            self.row_types = RowTypes(*row)
            for name, statement in {**STATEMENTS, "insert_events": INSERT_STATEMENT}.items():
                _expect_command_ok(self.pgconn.prepare(name.encode(), statement))
        except BaseException:
            self._connection.close()
            raise

    @property
    def pgconn(self) -> pq.abc.PGconn:
        return self._connection.pgconn

    def send(self, function: str, parameters: Parameters) -> None:
        """Puts the call on its way, as far as the socket takes it now."""
        formats = [pq.Format.BINARY] * len(parameters)
        self.pgconn.send_query_prepared(function.encode(), parameters, formats, pq.Format.BINARY)

    def close(self) -> None:
        self._connection.close()


def _expect_command_ok(result: pq.abc.PGresult) -> None:
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)


def columns_of(result: pq.abc.PGresult) -> list[bytes | None]:
    """The function's row, each column in binary form; what the server said instead is raised."""
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(result)
    return [result.get_value(0, column) for column in range(result.nfields)]


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
                result = _answer(connection.pgconn)
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
        if self._connection is not None and _was_lost(self._connection.pgconn):
            self._drop()  # While nothing was under way: connect again rather than fail a call.
        if self._connection is None:
            self._connection = self.connection()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _answer(connection: pq.abc.PGconn) -> pq.abc.PGresult:
    deadline = time.monotonic() + STATEMENT_TIMEOUT_SECONDS + 1
    poll = select.poll()
    while connection.flush() == 1:
        _wait(poll, connection, select.POLLIN | select.POLLOUT, deadline)
        connection.consume_input()
    answer: pq.abc.PGresult | None = None
    while True:
        while connection.is_busy():
            _wait(poll, connection, select.POLLIN, deadline)
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            break
        answer = result  # After the row comes the commit, and its failure where it failed.
    if answer is None:
        raise psycopg.OperationalError("the server sent no answer")
    return answer


def _wait(poll: select.poll, connection: pq.abc.PGconn, events: int, deadline: float) -> None:
    poll.register(connection.socket, events)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise psycopg.OperationalError("the server does not answer")


def _was_lost(connection: pq.abc.PGconn) -> bool:
    """Whether the server said goodbye since the last call; little else makes an idle socket readable."""
    if connection.status != pq.ConnStatus.OK:
        return True
    poll = select.poll()
    poll.register(connection.socket, select.POLLIN)
    while poll.poll(0):  # Its last words first, then the end.
        try:
            connection.consume_input()
        except psycopg.OperationalError:
            return True
        if connection.status != pq.ConnStatus.OK:
            return True
    return False
