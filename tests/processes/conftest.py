"""Each test has its own log and ledger, whose clock is the shop's at first."""

import pytest

from commands.gateways.sandbox import Books, SandboxGateway
from event_store.memory.log import MemoryLog
from tests.shop.commands import Shop
from tests.shop.facts import NOON


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    """Who follows the log, or waits for a lock, looks again soon; progress is saved soon."""
    monkeypatch.setattr("commands.processes.following.WAIT_SECONDS_MAX", 0.05)
    monkeypatch.setattr("commands.processes.manager.WAIT_SECONDS_MAX", 0.05)
    monkeypatch.setattr("commands.processes.following.CHECKPOINT_SECONDS", 0.05)


@pytest.fixture
def shop(tmp_path):
    gateway = SandboxGateway(Books(tmp_path / "sandbox.sqlite", clock=lambda: NOON))
    log = MemoryLog()
    yield Shop(log, gateway)
    log.close()
    gateway.close()
