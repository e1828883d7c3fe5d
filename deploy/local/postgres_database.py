"""What a server of our own gets: the database, and the role that can only read it."""

from __future__ import annotations

import psycopg
from psycopg import sql

READER = "daybook_reader"
SCHEMA = "daybook"


def make_database(server_url: str, name: str) -> None:
    """Make the database where it is missing."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def make_reader(database_url: str) -> None:
    """Make the role that may SELECT from the log's schema and nothing else; the schema is there already."""
    reader, schema = sql.Identifier(READER), sql.Identifier(SCHEMA)
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(reader))
            connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader))
        for grant in (
            "GRANT USAGE ON SCHEMA {schema} TO {reader}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader}",
        ):
            connection.execute(sql.SQL(grant).format(schema=schema, reader=reader))
