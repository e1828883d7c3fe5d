"""What the library's door asks of the database beyond the log's own promises."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import psycopg

from event_store.limits import is_storable
from event_store.postgres.append.insert import VersionedEvent, check_storable
from event_store.postgres.connections import Connections

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1

StoredVersion = tuple[int, str, bytes]
"""Version, topic, state."""
StoredNotification = tuple[int, str, int, str, bytes]
"""Position, stream, version, topic, state."""


def topic_of(name: str, schema_number: int) -> str:
    """The library knows one name for a shape: `name`, or `name@2` from the second number on."""
    return name if schema_number == 1 else f"{name}@{schema_number}"


class StoredEvents:
    """Events and snapshots as the library sees them, over the log's connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def versions(
        self,
        table: Literal["events", "snapshots"],
        stream: str,
        *,
        gt: int | None,
        lte: int | None,
        desc: bool,
        limit: int | None,
    ) -> list[StoredVersion]:
        """The stream's versions above `gt` up to `lte`."""
        if not is_storable(stream):
            return []
        query = f"library_{table}"
        rows = self._connections.rows(
            f"{query}_backwards" if desc else query,
            {
                "stream": stream,
                "gt": _LOWEST if gt is None else gt,
                "lte": _HIGHEST if lte is None else lte,
                "limit": limit,
            },
        )
        return [(version, topic_of(name, number), data) for version, name, number, data in rows]

    def notifications(
        self, *, after: int, limit: int, up_to: int | None, types: Collection[str]
    ) -> list[StoredNotification]:
        """Events of every stream in the log's order, of these types alone where any are given."""
        if types and not (types := [name for name in types if is_storable(name)]):
            return []
        query = "library_notifications_of_types" if types else "library_notifications"
        page = {"after": after, "limit": limit, "up_to": _HIGHEST if up_to is None else up_to}
        rows = self._connections.rows(query, page | ({"types": list(types)} if types else {}))
        return [
            (position, stream, version, topic_of(name, number), data)
            for position, stream, version, name, number, data in rows
        ]

    def insert_snapshots(self, snapshots: Sequence[VersionedEvent]) -> bool:
        """All or none; False when one of these versions has a snapshot. InvalidEntry for what none can be."""
        if not snapshots:
            return True
        check_storable(snapshots)
        streams, versions, types, data = (list(column) for column in zip(*snapshots, strict=True))
        try:
            self._connections.execute(
                "insert_snapshots", {"streams": streams, "versions": versions, "types": types, "data": data}
            )
        except psycopg.errors.UniqueViolation:
            return False
        return True
