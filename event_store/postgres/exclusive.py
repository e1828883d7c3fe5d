"""Session advisory locks, for what may run only once in the whole system."""

from __future__ import annotations

import threading

import psycopg

from event_store.postgres.connections import LimitedConnection, connect, unavailable_is_typed

SILENCE_SECONDS_MAX = 3.0
"""A holder that could not check its lock for so long must not act on it."""


class LockSession:
    """A session of the log's server; its locks live as long as its connection."""

    def __init__(self, connection: LimitedConnection) -> None:
        self._connection = connection
        self._released = connection.closing = threading.Event()  # It ends a look that is under way.
        self._mutex = threading.Lock()

    def still_held(self) -> bool:
        """False once the session is lost: stop at once."""
        with self._mutex:
            try:
                if not self._released.is_set():
                    self._connection.execute("SELECT")
            except psycopg.Error:
                self._connection.close()
        self._close_if_released()
        return not self._connection.closed

    def end(self) -> None:
        """Waits for nobody: where another thread uses the connection, that one closes it."""
        self._released.set()
        self._close_if_released()

    def _close_if_released(self) -> None:
        if self._released.is_set() and self._mutex.acquire(blocking=False):
            try:
                self._connection.close()
            finally:
                self._mutex.release()


class PostgresExclusive(LockSession):
    """A held lock."""

    def release(self) -> None:
        """Gives it up."""
        self.end()


def try_exclusive(url: str, schema: str, name: str, closing: threading.Event) -> PostgresExclusive | None:
    """None while another session holds it. StoreUnavailable, also once `closing` is set."""
    with unavailable_is_typed:
        connection = connect(url, schema, settings={"statement_timeout": "2s"}, closing=closing)
        connection.silence_seconds_max = min(connection.silence_seconds_max, SILENCE_SECONDS_MAX)
        try:
            taken = connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"exclusive {schema} {name}"]
            ).fetchone()
        except BaseException:
            connection.close()
            raise
    if taken is None or not taken[0]:
        connection.close()
        return None
    return PostgresExclusive(connection)
