"""Each test has its own log and ledger, whose clock is the shop's at first."""

import pytest

from commands.gateways.sandbox import Books, SandboxGateway
from event_store.memory.log import MemoryLog
from tests.shop.commands import Shop
from tests.shop.facts import NOON


@pytest.fixture
def shop(tmp_path):
    gateway = SandboxGateway(Books(tmp_path / "sandbox.sqlite", clock=lambda: NOON))
    log = MemoryLog()
    yield Shop(log, gateway)
    log.close()
    gateway.close()
