"""What a server of our own gets: the database, and the role that can only read it."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

READER = "daybook_reader"  # made by the log's own migrations, with what it may read


def make_database(server_url: str, name: str) -> None:
    """Make the database where it is missing."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def let_reader_in(database_url: str) -> None:
    """Let the reading role connect by itself: whoever comes as it cannot become more than that."""
    reader = sql.Identifier(READER)
    with psycopg.connect(database_url) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(reader))
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader))


def only_reading(url: str) -> str:
    """The same address, in sessions whose transactions can only read."""
    return make_conninfo(url, options="-c default_transaction_read_only=on")
