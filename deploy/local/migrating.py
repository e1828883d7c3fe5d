"""Bringing the log's tables up to date before anybody writes or reads them."""

from __future__ import annotations

from event_store import postgres_migrations
from event_store.postgres_connections import connect, unavailable_is_typed
from event_store.queries import migrations

SCHEMA = "daybook"


def migrate(postgres_url: str) -> list[str]:
    """Make or upgrade the schema; the names of what was applied. Raises StoreUnavailable or SchemaTooNew."""
    return postgres_migrations.migrate(postgres_url, SCHEMA)


def pending(postgres_url: str) -> list[str]:
    """The names of what `migrate` would apply; writes nothing."""
    with unavailable_is_typed(), connect(postgres_url, SCHEMA, read_only=True) as connection:
        stands_at = postgres_migrations.schema_number(connection, SCHEMA)
    return [name for number, name, _ in migrations() if number > stands_at]
