"""A sandbox per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways.sandbox import Sandbox


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sandbox.sqlite"


@pytest.fixture
def sandbox(ledger: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(ledger)
    yield sandbox
    sandbox.gateway.close()
