"""A running system, and its two ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.wire import port_of
from tests.system.running import RunningSystem, started


@pytest.fixture(scope="package")
def system() -> Iterator[RunningSystem]:
    """Without a token: for this machine alone."""
    with started() as system:
        yield system


@pytest.fixture(params=["commands", "read"])
def port(request: pytest.FixtureRequest, system: RunningSystem) -> int:
    """Each of the two."""
    return port_of(system.addresses[request.param])
