"""Connections to the log's database: how each is made, lent out, and what its errors mean to us.

When PostgreSQL is away a call fails at once, and the first call after its return works: nothing here
waits or backs off.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from event_store.errors import StoreUnavailable
from event_store.queries import queries

READER_ROLE = "daybook_reader"

CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "daybook",
}

SESSION: Mapping[str, str] = {
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "30s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",  # Our queries are short; compiling them costs more than it saves.
    "enable_seqscan": "off",  # Plans are made while the tables are small and kept while they grow.
}


@contextmanager
def unavailable_is_typed() -> Iterator[None]:
    """What the driver says of a server that is away, or too slow, is StoreUnavailable."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnavailable(str(error).strip()) from error


def connect(
    url: str, schema: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None
) -> psycopg.Connection[Any]:
    """An autocommitting connection whose names are looked up in the log's schema."""
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=2, **CONNECTION)
    try:
        session = {**SESSION, **(settings or {}), "search_path": f"{quoted(schema)}, pg_temp"}
        if read_only:
            session["default_transaction_read_only"] = "on"
        names = sql.SQL(", ").join(
            sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in session.items()
        )
        connection.execute(sql.SQL("SELECT {}").format(names))
        if read_only:
            _become_reader(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def quoted(name: str) -> str:
    """A name as PostgreSQL's SQL spells it."""
    return sql.Identifier(name).as_string()


def _become_reader(connection: psycopg.Connection[Any]) -> None:
    allowed = connection.execute(
        "SELECT FROM pg_roles WHERE rolname = %s AND pg_has_role(current_user, oid, 'MEMBER')", [READER_ROLE]
    )
    if allowed.fetchone() is not None:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(READER_ROLE)))


class Connections:
    """A few connections, lent to whoever asks; the last one given back goes out first."""

    def __init__(self, url: str, schema: str, *, read_only: bool, most: int = 8) -> None:
        self._url = url
        self._schema = schema
        self._read_only = read_only
        self._free: list[psycopg.Connection[Any]] = []
        self._places = threading.BoundedSemaphore(most)
        self._closed = False

    def rows(self, query: str, parameters: Mapping[str, Any], *, make: Any = tuple) -> list[Any]:
        """The rows of a named query, each made by `make(*columns)`. StoreUnavailable."""
        with unavailable_is_typed():
            return self._run(queries()[query], parameters, make)

    def row(self, query: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row of a named query, or None."""
        rows = self.rows(query, parameters)
        return rows[0] if rows else None

    def execute(self, query: str, parameters: Mapping[str, Any]) -> None:
        """Runs a named query that has no rows."""
        with unavailable_is_typed():
            self._run(queries()[query], parameters, None)

    def close(self) -> None:
        """Closes those that are free now, and each of the others when it comes back."""
        self._closed = True
        while self._free:
            self._free.pop().close()

    def _run(self, text: str, parameters: Mapping[str, Any], make: Any) -> list[Any]:
        with self._places:
            try:
                free = self._free.pop()
            except IndexError:
                return self._run_on(self._connect(), text, parameters, make)
            try:
                return self._run_on(free, text, parameters, make)
            except psycopg.OperationalError:
                if not free.closed:
                    raise
                # It may have been lost long ago, by a restart: a new one tells.
                return self._run_on(self._connect(), text, parameters, make)

    def _run_on(
        self, connection: psycopg.Connection[Any], text: str, parameters: Mapping[str, Any], make: Any
    ) -> list[Any]:
        try:
            with connection.cursor(binary=True) as cursor:
                if make is not None and make is not tuple:
                    cursor.row_factory = psycopg.rows.args_row(make)
                cursor.execute(text.encode(), parameters)
                rows = [] if make is None else cursor.fetchall()
        except BaseException as error:
            # Whatever is not the server's plain answer leaves the connection in an unknown state.
            if not isinstance(error, psycopg.Error):
                connection.close()
            raise
        finally:
            self._give_back(connection)
        return rows

    def _connect(self) -> psycopg.Connection[Any]:
        if self._closed:
            raise StoreUnavailable("this log is closed")
        return connect(self._url, self._schema, read_only=self._read_only)

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        if self._closed:
            connection.close()
        elif not connection.closed:
            self._free.append(connection)
