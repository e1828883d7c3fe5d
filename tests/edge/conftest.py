"""A running system, and its two ports."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.wire import port_of
from tests.system.running import RunningSystem


@pytest.fixture(scope="package")
def system() -> Iterator[RunningSystem]:
    """Without a token: for this machine alone."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-edge-", dir="/tmp"))
    folder.chmod(0o755)
    system = RunningSystem(folder / "data")
    try:
        system.wait_ready()
        yield system
    finally:
        system.end()
        shutil.rmtree(folder)


@pytest.fixture(params=["commands", "read"])
def port(request: pytest.FixtureRequest, system: RunningSystem) -> int:
    """Each of the two."""
    return port_of(system.addresses[request.param])
