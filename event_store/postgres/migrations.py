"""Bringing a log's schema up to date: numbered migrations, forward only, safe when two start at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from event_store.errors import SchemaMissing, SchemaTooNew
from event_store.postgres.connections import FEED_ROLE, READER_ROLE, connect, quoted, unavailable_is_typed
from event_store.postgres.queries import migrations, sql_file, suits

WRITER_ROLE = "daybook_writer"


def check_schema(url: str, schema: str) -> None:
    """SchemaMissing unless the log is there, up to date and open to this role; writes nothing."""
    stands_at = _number(url, schema, writing=False)
    if stands_at < _newest():
        raise SchemaMissing(
            f"there is no log {schema!r} in this database, and who may only read makes none"
            if stands_at == 0
            else f"the log {schema!r} is at migration {stands_at}, this code needs {_newest()}"
        )


def pending(url: str, schema: str) -> list[str]:
    """The names of what `migrate` would apply; writes nothing."""
    stands_at = _number(url, schema)
    return [name for number, name, _ in migrations() if number > stands_at]


def migrate(url: str, schema: str, *, up_to: int | None = None) -> list[str]:
    """Makes the log or brings it up to date; the names of what was applied.

    `up_to` stops at that number. SchemaTooNew where newer code made a schema that this code cannot write,
    SchemaMissing where this role may not do it. StoreUnavailable also where others hold a table for too long:
    then nothing was done.
    """
    newest = _newest() if up_to is None else up_to
    if _number(url, schema) >= newest:
        return []
    with _migrating(url, schema) as connection:
        return _apply(connection, schema, newest)


def grant(url: str, schema: str) -> list[str] | None:
    """Gives the log's roles their rights, and makes them where it may; those that there are.

    None where this role does not own the log, SchemaTooNew where newer code was here, as rights on what this
    code does not know would be taken away: then nothing was done.
    """
    with _migrating(url, schema) as connection:
        if (stands_at := schema_number(connection, schema)) > _newest():
            raise SchemaTooNew(
                f"the log {schema!r} is at migration {stands_at}: the rights on it are newer code's to give,"
                f" this code knows {_newest()}"
            )
        owned = connection.execute(
            "SELECT pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace WHERE nspname = %s",
            [schema],
        ).fetchone()
        if owned is None or not owned[0]:
            return None
        _grant(connection, schema)
        there = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) ORDER BY rolname",
            [[FEED_ROLE, READER_ROLE, WRITER_ROLE]],
        )
        return [str(name) for (name,) in there]


def schema_number(connection: psycopg.Connection[Any], schema: str) -> int:
    """The number of the last migration applied; 0 where there is no log."""
    # A query of the catalog, not to_regclass: that may answer from before what we waited for.
    there = connection.execute(
        "SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'schema_migrations'", [schema]
    )
    if there.fetchone() is None:
        return 0
    # By its whole name: a schema that is closed to this role must not look like an empty one.
    last = connection.execute(
        sql.SQL("SELECT coalesce(max(number), 0) FROM {}").format(sql.Identifier(schema, "schema_migrations"))
    ).fetchone()
    assert last is not None
    return int(last[0])


def _number(url: str, schema: str, *, writing: bool = True) -> int:
    # Who may write does not become the reading role for this look: that one may have no rights yet.
    only_looks = {"default_transaction_read_only": "on"}
    try:
        with unavailable_is_typed, connect(url, schema, read_only=not writing, settings=only_looks) as seen:
            stands_at = schema_number(seen, schema)
            _refuse_newer(seen, schema, stands_at, writing=writing)
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaMissing(
            f"the log {schema!r} is closed to this role: its owner's `daybook events migrate` opens it"
        ) from error
    return stands_at


@contextmanager
def _migrating(url: str, schema: str) -> Iterator[psycopg.Connection[Any]]:
    """One transaction, which nobody else migrates in."""
    try:
        with unavailable_is_typed, connect(url, schema) as connection:
            connection.silence_seconds_max = math.inf  # What a migration does to a large log takes its time,
            with connection.transaction():
                connection.execute("SET LOCAL statement_timeout = 0")
                # The second comes to wait here, then finds everything done.
                connection.execute("SET LOCAL lock_timeout = '60s'")
                connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended('migrate ' || %s, 0))", [schema]
                )
                # but who waits for a table holds up every append behind it: rather fail, and be run again.
                connection.execute("SET LOCAL lock_timeout = '2s'")
                yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaMissing(f"the log {schema!r} cannot be made by this role: {error}") from error


def _apply(connection: psycopg.Connection[Any], schema: str, newest: int) -> list[str]:
    stands_at = schema_number(connection, schema)
    _refuse_newer(connection, schema, stands_at, writing=True)
    if stands_at == 0:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
    applied = []
    for number, name, text in migrations():
        if stands_at < number <= newest:
            connection.execute(text.replace("{schema}", quoted(schema)).encode())
            connection.execute("INSERT INTO schema_migrations (number, name) VALUES (%s, %s)", [number, name])
            if (suited := suits(text)) is not None:
                connection.execute(
                    "UPDATE schema_migrations SET readable_from = %s, writable_from = %s WHERE number = %s",
                    [*suited, number],
                )
            applied.append(name)
    connection.execute(
        "INSERT INTO installation (secret) VALUES (%s) ON CONFLICT DO NOTHING", [os.urandom(32)]
    )
    if applied:
        _grant(connection, schema)
    return applied


def _grant(connection: psycopg.Connection[Any], schema: str) -> None:
    connection.execute(sql_file("rights.sql").replace("{schema}", quoted(schema)).encode())


def _newest() -> int:
    return migrations()[-1][0]


def _refuse_newer(connection: psycopg.Connection[Any], schema: str, stands_at: int, *, writing: bool) -> None:
    """SchemaTooNew unless every migration that this code does not know declares that it suits it."""
    newest = _newest()
    if stands_at <= newest:
        return
    column = sql.Identifier("writable_from" if writing else "readable_from")
    table = sql.Identifier(schema, "schema_migrations")
    newer = sql.SQL("SELECT max(coalesce({}, number)) FROM {} WHERE number > %s").format(column, table)
    (needed,) = connection.execute(newer, [newest]).fetchone() or (stands_at,)
    if needed > newest:
        raise SchemaTooNew(
            f"the log {schema!r} is at migration {stands_at}: only code that knows migration {needed} can"
            f" {'write' if writing else 'read'} it, and this code knows {newest}"
        )
