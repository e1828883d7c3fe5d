"""Session advisory locks, for what may run only once in the whole system."""

from __future__ import annotations

import threading
from typing import Any

import psycopg

from event_store.postgres_connections import connect, unavailable_is_typed


class PostgresExclusive:
    """A held lock; it lives as long as its connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._mutex = threading.Lock()

    def still_held(self) -> bool:
        with self._mutex:
            try:
                self._connection.execute("SELECT")
            except psycopg.Error:
                self._connection.close()
            return not self._connection.closed

    def release(self) -> None:
        with self._mutex:
            self._connection.close()


def try_exclusive(url: str, schema: str, name: str) -> PostgresExclusive | None:
    """None while another session holds it. StoreUnavailable."""
    with unavailable_is_typed:
        connection = connect(url, schema, settings={"statement_timeout": "2s"})
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
