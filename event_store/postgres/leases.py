"""What several processes share out among themselves: session locks, all of one session for each process.

The session is the lease. The server ends it, and frees its locks, as soon as the process is gone, and when it
was silent for `LEASE_SECONDS`, as a stopped process is. A thread of its own renews it, so that long work
does not lose it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from event_store.postgres.connections import LimitedConnection, connect, unavailable_is_typed
from event_store.postgres.exclusive import SILENCE_SECONDS_MAX, LockSession
from event_store.postgres.queries import queries

LEASE_SECONDS = 5.0
_RENEWALS = 5  # within this time


class Holder(NamedTuple):
    """Who holds a lock: its session's number on the server, and the name that the process gave itself."""

    session: int
    process: str


class PostgresLeases(LockSession):
    """One process's session. What raises StoreUnavailable has lost it, and all that was held."""

    def __init__(self, connection: LimitedConnection, schema: str, *, lease_seconds: float) -> None:
        super().__init__(connection)
        self._schema = schema
        self._pause_seconds = lease_seconds / _RENEWALS
        self.session = connection.info.backend_pid
        threading.Thread(target=self._renew, name="leases", daemon=True).start()

    def take(self, names: Sequence[str]) -> set[str]:
        """Takes those locks that are free; gives their names."""
        return {name for name, taken in self._rows("take_locks", names) if taken}

    def share(self, name: str) -> bool:
        """Takes a lock that several may hold at once."""
        return any(taken for _, taken in self._rows("share_locks", [name]))

    def release(self, names: Collection[str]) -> None:
        """Gives up these locks, which it holds."""
        self._rows("release_locks", names)

    def holders(self, names: Sequence[str]) -> Mapping[str, list[Holder]]:
        """See `PostgresLog.holders`."""
        return by_name(self._rows("lock_holders", names))

    def release_all(self) -> None:
        """Ends the session."""
        self.end()

    def _rows(self, query: str, names: Collection[str]) -> list[tuple[Any, ...]]:
        with self._mutex, unavailable_is_typed:
            try:
                parameters = locks(self._schema, names)
                return self._connection.execute(queries()[query].encode(), parameters).fetchall()
            except psycopg.Error:
                self._connection.close()
                raise

    def _renew(self) -> None:
        while not self._released.wait(self._pause_seconds) and self.still_held():
            pass
        self._close_if_released()


def open_leases(
    url: str, schema: str, closing: threading.Event, *, lease_seconds: float = LEASE_SECONDS
) -> PostgresLeases:
    """A session that holds nothing yet. StoreUnavailable, also once `closing` is set."""
    settings = {
        "application_name": f"daybook {socket.gethostname()}:{os.getpid()}",
        "statement_timeout": "2s",
        "idle_session_timeout": f"{lease_seconds * 1000:.0f}ms",
    }
    with unavailable_is_typed:
        connection = connect(url, schema, settings=settings, closing=closing)
    connection.silence_seconds_max = min(connection.silence_seconds_max, SILENCE_SECONDS_MAX)
    return PostgresLeases(connection, schema, lease_seconds=lease_seconds)


def locks(schema: str, names: Collection[str]) -> Mapping[str, Any]:
    """The parameters of a query about these locks, whose keys are those that `try_exclusive` takes."""
    return {"prefix": f"exclusive {schema} ", "names": list(names)}


def by_name(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Holder]]:
    """What the query `lock_holders` gives, by the locks' names."""
    found: dict[str, list[Holder]] = {}
    for name, session, process in rows:
        found.setdefault(name, []).append(Holder(session, process.removeprefix("daybook ")))
    return found
