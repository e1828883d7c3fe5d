"""A budget over a thousand racing orders: `make proofs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from replays.verification.verify import verify
from tests.commands.test_claims import race_for_a_budget
from tests.shop.facts import CODEC


@pytest.fixture
def logs(fresh_postgres: str) -> Iterator[tuple[EventLog, EventLog]]:
    opened = PostgresLog.open(fresh_postgres), PostgresLog.open(fresh_postgres)
    yield opened
    found: list[str] = []
    verify(opened[0], CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []
    for log in opened:
        log.close()


@pytest.mark.timeout(600)
def test_a_thousand_orders_never_exceed_a_budget(logs: tuple[EventLog, EventLog], tmp_path: Path) -> None:
    race_for_a_budget(logs, tmp_path, 1_000)
