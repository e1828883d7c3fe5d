"""The log that imports are written to: in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog


@pytest.fixture(params=["memory", "postgres"])
def log(request: pytest.FixtureRequest) -> Iterator[EventLog]:
    """An empty log."""
    opened: EventLog
    if request.param == "memory":
        opened = MemoryLog()
    else:
        opened = PostgresLog.open(request.getfixturevalue("fresh_postgres"))
    yield opened
    opened.close()
