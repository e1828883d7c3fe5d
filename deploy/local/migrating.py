"""Bringing the log's tables up to date before anybody writes or reads them."""

from __future__ import annotations

from event_store import postgres_migrations

SCHEMA = "daybook"


def migrate(postgres_url: str) -> list[str]:
    """Make or upgrade the schema; the names of what was applied. Raises StoreUnavailable or SchemaTooNew."""
    return postgres_migrations.migrate(postgres_url, SCHEMA)
