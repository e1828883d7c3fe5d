"""Bringing the log's tables up to date before anybody writes or reads them."""

from __future__ import annotations

from event_store.postgres import migrations as postgres_migrations
from event_store.postgres.connections import FEED_ROLE, READER_ROLE
from event_store.postgres.migrations import WRITER_ROLE

SCHEMA = "daybook"
ROLES = {
    FEED_ROLE: "may read the events",
    READER_ROLE: "may read",
    WRITER_ROLE: "may append and read",
}


def migrate(postgres_url: str) -> list[str]:
    """Make or upgrade the schema; the names of what was applied.

    Raises StoreUnavailable, SchemaTooNew, or SchemaMissing where this role may not.
    """
    return postgres_migrations.migrate(postgres_url, SCHEMA)


def grant(postgres_url: str) -> list[str] | None:
    """Give the log's roles their rights; the roles there are, or None where this one does not own the log."""
    return postgres_migrations.grant(postgres_url, SCHEMA)


def pending(postgres_url: str) -> list[str]:
    """The names of what `migrate` would apply; writes nothing."""
    return postgres_migrations.pending(postgres_url, SCHEMA)
