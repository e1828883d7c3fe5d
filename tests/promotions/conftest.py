"""Each test has its own log and ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.gateways.sandbox import Books, SandboxGateway
from event_store.memory.log import MemoryLog
from tests.shop.commands import Shop
from tests.shop.facts import NOON


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    gateway = SandboxGateway(Books(tmp_path / "sandbox.sqlite", clock=lambda: NOON))
    log = MemoryLog()
    yield Shop(log, gateway)
    log.close()
    gateway.close()
