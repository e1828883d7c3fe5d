"""Each test has its own log and ledger."""

import pytest

from commands.gateways.sandbox import SandboxGateway
from event_store.memory.log import MemoryLog
from tests.shop.commands import Shop


@pytest.fixture
def shop(tmp_path):
    gateway = SandboxGateway(tmp_path / "sandbox.sqlite")
    log = MemoryLog()
    yield Shop(log, gateway)
    log.close()
    gateway.close()
