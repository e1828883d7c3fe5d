"""The shop on a real log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from event_store.postgres.log import PostgresLog
from tests.shop.story import Story


@pytest.fixture
def postgres_log(fresh_postgres: str) -> Iterator[PostgresLog]:
    log = PostgresLog.open(fresh_postgres)
    yield log
    log.close()


@pytest.fixture
def postgres_shop(postgres_log: PostgresLog) -> Story:
    return Story(postgres_log)
