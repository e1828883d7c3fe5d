"""The connection that batches are written over."""

from __future__ import annotations

import threading

import psycopg
from psycopg import pq

from event_store.postgres.append.arrays import RECORD_OID, read_row
from event_store.postgres.append.batch import ROW_TYPES, STATEMENTS, RowTypes
from event_store.postgres.append.insert import STATEMENT as INSERT_STATEMENT
from event_store.postgres.append.statements import STATEMENT_TIMEOUT_SECONDS, StatementConnection
from event_store.postgres.connections import connect

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
        """Read-only, the server refuses every call."""
        connection = connect(url, schema, read_only=read_only, settings=SETTINGS, closing=closing)
        try:
            row = connection.execute(ROW_TYPES).fetchone()
            assert row is not None
            self.row_types = RowTypes(*row[:2])
            self.log_id = str(row[2])
            super().__init__(connection, {**STATEMENTS, "insert_events": INSERT_STATEMENT})
        except BaseException:
            connection.close()
            raise


def columns_of(result: pq.abc.PGresult) -> list[bytes | None]:
    """The function's row, each column in binary form; the server's error is raised."""
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(result)
    data = result.get_value(0, 0)
    assert result.ftype(0) == RECORD_OID and data is not None
    return read_row(data)
