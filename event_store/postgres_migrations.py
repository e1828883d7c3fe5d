"""Bringing a log's schema up to date: numbered migrations, forward only, safe when two start at once."""

from __future__ import annotations

import os

import psycopg
from psycopg import sql

from event_store.errors import SchemaMissing, SchemaTooNew
from event_store.postgres_connections import connect, quoted, unavailable_is_typed
from event_store.queries import migrations


def check_schema(url: str, schema: str) -> None:
    """SchemaMissing unless the log is there and up to date; writes nothing."""
    with unavailable_is_typed(), connect(url, schema, read_only=True) as connection:
        stands_at = schema_number(connection, schema)
    _refuse_newer(schema, stands_at)
    if stands_at < _newest():
        raise SchemaMissing(
            f"there is no log {schema!r} in this database, and who may only read makes none"
            if stands_at == 0
            else f"the log {schema!r} is at migration {stands_at}, this code needs {_newest()}"
        )


def migrate(url: str, schema: str) -> list[str]:
    """Makes the log or brings it up to date; the names of what was applied."""
    with unavailable_is_typed(), connect(url, schema) as connection:
        if schema_number(connection, schema) == _newest():
            return []
        try:
            with connection.transaction():
                return _apply(connection, schema)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SchemaMissing(f"the log {schema!r} cannot be made by this role: {error}") from error


def schema_number(connection: psycopg.Connection, schema: str) -> int:
    """The number of the last migration applied; 0 where there is no log."""
    # A query of the catalog, not to_regclass: that may answer from before what we waited for.
    there = connection.execute(
        "SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'schema_migrations'", [schema]
    )
    if there.fetchone() is None:
        return 0
    last = connection.execute("SELECT coalesce(max(number), 0) FROM schema_migrations").fetchone()
    assert last is not None
    return int(last[0])


def _apply(connection: psycopg.Connection, schema: str) -> list[str]:
    # Whoever comes second waits here, then finds everything done.
    connection.execute("SET LOCAL lock_timeout = '30s'")
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('migrate ' || %s, 0))", [schema])
    stands_at = schema_number(connection, schema)
    _refuse_newer(schema, stands_at)
    if stands_at == 0:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
    applied = []
    for number, name, text in migrations():
        if number > stands_at:
            connection.execute(text.replace("{schema}", quoted(schema)).encode())
            connection.execute("INSERT INTO schema_migrations (number, name) VALUES (%s, %s)", [number, name])
            applied.append(name)
    connection.execute(
        "INSERT INTO installation (secret) VALUES (%s) ON CONFLICT DO NOTHING", [os.urandom(32)]
    )
    return applied


def _newest() -> int:
    return migrations()[-1][0]


def _refuse_newer(schema: str, stands_at: int) -> None:
    if stands_at > _newest():
        raise SchemaTooNew(f"the log {schema!r} is at migration {stands_at}; this code knows {_newest()}")
