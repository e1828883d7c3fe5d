"""Connections to the log's database: how each is made, lent out, and what its errors mean to us.

When PostgreSQL is away a call fails at once, and the first call after its return works: nothing here
waits or backs off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import sql

from event_store.errors import LogUnreadable, StoreUnavailable
from event_store.postgres.queries import queries

READER_ROLE = "daybook_reader"
FEED_ROLE = "daybook_feed"
"""Reads the events and nothing beside them: neither a subject's key nor a command's arguments."""

SILENCE_SECONDS_MAX = 31.0
"""How long a server may leave a statement unanswered. It ends each by itself after `statement_timeout`: one
that is silent for longer was stopped, or its machine is gone."""

T = TypeVar("T")

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


class Silence(psycopg.OperationalError):
    """The server sent nothing for too long; the connection is closed."""


class LimitedConnection(psycopg.Connection[Any]):
    """Never waits for ever: Silence after `silence_seconds_max`, and a tenth of a second after `closing`."""

    silence_seconds_max = SILENCE_SECONDS_MAX
    closing: threading.Event | None = None
    made_after = 0
    """Times that those it belongs to were renewed."""

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **named: Any) -> T:
        return super().wait(self._limited(gen), *arguments, **named)

    def _limited(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        # The driver looks in every tenth of a second, with nothing ready where the server is silent.
        until = time.monotonic() + self.silence_seconds_max
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and self.closing is not None and self.closing.is_set():
                    self.pgconn.finish()
                    raise Silence("closed before the server answered")
                if not ready and time.monotonic() > until:
                    self.pgconn.finish()
                    raise Silence(f"no answer within {self.silence_seconds_max} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: T = done.value
            return result


class _UnavailableIsTyped:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _AWAY):
            raise StoreUnavailable(str(error).strip()) from error


# A standby that has not been promoted refuses to write.
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
unavailable_is_typed = _UnavailableIsTyped()
"""Within it, a driver's error about a server that is away, too slow or a standby becomes StoreUnavailable."""


class _UnreadableIsTyped(_UnavailableIsTyped):
    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _NOT_A_LOG):
            raise LogUnreadable(_first_line(error)) from error
        super().__exit__(kind, error, traceback)


# Our own queries are right, so it is the tables that are not. A row's value may be beyond what can be read.
_NOT_A_LOG = (
    psycopg.ProgrammingError,
    psycopg.InternalError,
    psycopg.NotSupportedError,
    psycopg.errors.UndefinedFile,
    psycopg.errors.IoError,
)
unreadable_is_typed = _UnreadableIsTyped()
"""Within it, a driver's error about missing, changed or damaged tables becomes LogUnreadable, too."""


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


def connect(
    url: str,
    schema: str,
    *,
    read_only: bool = False,
    role: str = READER_ROLE,
    settings: Mapping[str, str] | None = None,
    closing: threading.Event | None = None,
) -> LimitedConnection:
    """An autocommitting connection whose names are looked up in the log's schema.

    Read-only, it comes as `role`, or as the reading role, where the address's user may. Once `closing` is set
    it waits for the server no longer.
    """
    connection = LimitedConnection.connect(url, autocommit=True, prepare_threshold=2, **CONNECTION)
    connection.closing = closing
    try:
        session = {**SESSION, **(settings or {}), "search_path": f"{quoted(schema)}, pg_temp"}
        if read_only:
            session["default_transaction_read_only"] = "on"
        names = sql.SQL(", ").join(
            sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in session.items()
        )
        connection.execute(sql.SQL("SELECT {}").format(names))
        if read_only:
            _become(connection, role)
    except BaseException:
        connection.close()
        raise
    return connection


def quoted(name: str) -> str:
    """A name as PostgreSQL's SQL spells it."""
    return sql.Identifier(name).as_string()


def _become(connection: psycopg.Connection[Any], role: str) -> None:
    allowed = connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) AND pg_has_role(current_user, oid, 'MEMBER')"
        " ORDER BY rolname <> %s",
        [[role, READER_ROLE], role],
    )
    if (chosen := allowed.fetchone()) is not None:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(chosen[0])))


class _Query(NamedTuple):
    text: str
    parameters: Mapping[str, Any]
    make: Any  # None: there are no rows
    seconds_max: float  # of the server's silence


class Connections:
    """A few connections, lent to callers; the last one returned goes out first.

    Once `closing` is set, calls under way and later ones fail.
    """

    def __init__(
        self,
        url: str,
        schema: str,
        *,
        read_only: bool,
        closing: threading.Event,
        role: str = READER_ROLE,
        most: int = 8,
    ) -> None:
        self._url = url
        self._schema = schema
        self._read_only = read_only
        self._role = role
        self._free: list[LimitedConnection] = []
        self._renewed = 0  # times
        self._places = threading.BoundedSemaphore(most)
        self._closing = closing

    def rows(
        self,
        query: str,
        parameters: Mapping[str, Any],
        *,
        make: Any = tuple,
        seconds_max: float = SILENCE_SECONDS_MAX,
    ) -> list[Any]:
        """The rows of a named query, each made by `make(*columns)`. StoreUnavailable."""
        with unreadable_is_typed:
            return self._run(_Query(queries()[query], parameters, make, seconds_max))

    def row(
        self, query: str, parameters: Mapping[str, Any], *, seconds_max: float = SILENCE_SECONDS_MAX
    ) -> tuple[Any, ...] | None:
        """The first row of a named query, or None."""
        rows = self.rows(query, parameters, seconds_max=seconds_max)
        return rows[0] if rows else None

    def execute(self, query: str, parameters: Mapping[str, Any]) -> None:
        """Runs a named query that has no rows."""
        with unreadable_is_typed:
            self._run(_Query(queries()[query], parameters, None, SILENCE_SECONDS_MAX))

    def renew(self) -> None:
        """Closes those that are free, and each of the others when it comes back: all are made anew."""
        self._renewed += 1
        while self._free:
            try:
                self._free.pop().close()
            except IndexError:  # Lent out meanwhile.
                return

    def close(self) -> None:
        """Closes those that are free now, and each of the others when it comes back."""
        self._closing.set()
        self.renew()

    def _run(self, query: _Query) -> list[Any]:
        with self._places:
            try:
                free = self._free.pop()
            except IndexError:
                return self._run_on(self._connect(), query)
            try:
                return self._run_on(free, query)
            except psycopg.OperationalError as error:
                if not free.closed or isinstance(error, Silence):
                    raise
                # It may have been lost long ago, by a restart: tried again on a new one.
                return self._run_on(self._connect(), query)

    def _run_on(self, connection: LimitedConnection, query: _Query) -> list[Any]:
        make = query.make
        connection.silence_seconds_max = query.seconds_max
        try:
            with connection.cursor(binary=True) as cursor:
                if make is not None and make is not tuple:
                    cursor.row_factory = psycopg.rows.args_row(make)
                cursor.execute(query.text.encode(), query.parameters)
                try:
                    rows = [] if make is None else cursor.fetchall()
                except psycopg.DataError as error:
                    raise LogUnreadable(_first_line(error)) from error
        except BaseException as error:
            # Whatever is not the server's plain answer leaves the connection in an unknown state; what it has
            # prepared for tables that were changed would fail for ever.
            if not isinstance(error, psycopg.Error) or isinstance(error, _NOT_A_LOG):
                connection.close()
            raise
        finally:
            self._give_back(connection)
        return rows

    def _connect(self) -> LimitedConnection:
        if self._closing.is_set():
            raise StoreUnavailable("this log is closed")
        renewed = self._renewed
        connection = connect(
            self._url, self._schema, read_only=self._read_only, role=self._role, closing=self._closing
        )
        connection.made_after = renewed
        return connection

    def _give_back(self, connection: LimitedConnection) -> None:
        if self._closing.is_set() or connection.made_after != self._renewed:
            connection.close()
        elif not connection.closed:
            self._free.append(connection)
