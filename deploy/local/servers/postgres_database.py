"""What a server of our own gets: the database, and the roles that come to its log."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from event_store.postgres.connections import FEED_ROLE, READER_ROLE
from event_store.postgres.migrations import WRITER_ROLE


def make_database(server_url: str, name: str) -> None:
    """Make the database where it is missing."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def allow_roles(database_url: str) -> None:
    """Let the log's roles connect by themselves: such a connection cannot become more than that."""
    with psycopg.connect(database_url) as connection:
        for role in (FEED_ROLE, READER_ROLE, WRITER_ROLE):
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
        for role in (FEED_ROLE, READER_ROLE):
            only_reads = sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on")
            connection.execute(only_reads.format(sql.Identifier(role)))


def read_only_url(url: str) -> str:
    """The same address, in sessions whose transactions can only read."""
    return make_conninfo(url, options="-c default_transaction_read_only=on")
